package runlog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// A Record is one line of a log.
type Record struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Msg     string    `json:"msg"`
	Run     int64     `json:"run"` // of "run began" and "run ended"
	Path    string    `json:"path"`
	From    string    `json:"from"` // where what is at Path now was, or what it was copied from
	ID      string    `json:"id"`
	Bytes   int64     `json:"bytes"`
	Seconds float64   `json:"seconds"`
	Reason  string    `json:"reason"`
	Err     string    `json:"err"`
	Raw     []byte    `json:"-"` // all of the line
}

// Logs returns the IDs of the logs in dir, the oldest first.
func Logs(dir string) ([]ID, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list run logs: %w", err)
	}
	var ids []ID
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if _, isID := ID(name).Time(); ok && isID && e.Type().IsRegular() {
			ids = append(ids, ID(name))
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Find returns the log in dir that a run wrote which began at a time, and
// whether it is still there. began is what the run says in its first line.
func Find(dir string, run int64, began time.Time) (ID, bool, error) {
	ids, err := Logs(dir)
	if errors.Is(err, os.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	for _, id := range slices.Backward(ids) {
		at, _ := id.Time()
		if at.After(began.Add(time.Minute)) || began.Sub(at) > 24*time.Hour {
			continue // the log begins before the run; the clock may have been set in between
		}
		found := false
		err := Read(dir, id, func(r Record) error {
			if r.Msg == Began && r.Run == run {
				found = true
				return errEnough
			}
			return nil
		})
		if err != nil && err != errEnough {
			return "", false, err
		}
		if found {
			return id, true, nil
		}
	}
	return "", false, nil
}

// Began is what the line says with which a run begins.
const Began = "run began"

var errEnough = errors.New("enough was read")

// Read calls each for the lines of a log, in their order. What is no line of
// a log, as half a line at the end of a run that was killed, is passed over.
func Read(dir string, id ID, each func(Record) error) error {
	f, err := os.Open(Path(dir, id))
	if err != nil {
		return fmt.Errorf("read run log: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r Record
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue
		}
		r.Raw = lines.Bytes()
		if err := each(r); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read run log: %w", err)
	}
	return nil
}
