package backup

import (
	"encoding/json"
	"time"
)

// enoughSent is how much content a run must have sent for its speed to tell
// how fast the line is, in bytes.
const enoughSent = 10 << 20

// forecast puts into the summary of a dry run what the plan would cost, and
// how long that takes at least: by the limit of writes, or by the bytes at
// the speed of an earlier run, whichever is more.
func (r *run) forecast() error {
	lay, err := knownLayout(r.Store)
	if err != nil || len(r.planned.Stages) == 0 {
		return err
	}
	f := r.Drive.Forecast(r.planned.Stages, lay.Host == "")
	r.sum.Counts.Requests, r.sum.Counts.Calls, r.sum.Counts.BytesSent = f.Requests, f.Calls, f.Bytes
	speed, err := r.speed()
	if err != nil {
		return err
	}
	r.sum.ETA = f.Least
	if speed > 0 {
		r.sum.ETA = max(f.Least, time.Duration(float64(f.Bytes)/speed*float64(time.Second)))
	}
	return nil
}

// speed is how many bytes a second the latest run made that sent enough to
// tell; 0 if none did.
func (r *run) speed() (float64, error) {
	known, err := r.Store.Reader()
	if err != nil {
		return 0, err
	}
	defer known.Close()
	runs, err := known.LastRuns(100)
	for _, was := range runs {
		var c Counts
		took := was.Ended.Sub(was.Started).Seconds()
		if took > 0 && json.Unmarshal(was.Counters, &c) == nil && c.BytesSent >= enoughSent {
			return float64(c.BytesSent) / took, err
		}
	}
	return 0, err
}
