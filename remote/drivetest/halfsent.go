package drivetest

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// A HalfSent is an upload session that has not ended, as Drive has it.
type HalfSent struct {
	Key      string // tells sessions apart; it is not their address
	FileID   string // of the file to be made, or to be replaced; "" if Drive is to choose
	Replaces bool
	AppProps map[string]string // as they were sent along
	Total    int64             // bytes; -1 while unknown
	Stored   int64             // bytes that Drive has acknowledged, or would if it were asked
	MD5      string            // of what is stored
}

// HalfSent gives the sessions that have neither ended nor expired, oldest
// first.
func (d *Drive) HalfSent() ([]HalfSent, error) {
	var open []*session
	d.mu.Lock()
	for _, id := range d.sessionQ {
		if s := d.sessions[id]; s != nil && d.ms()-s.Begun < d.opt.SessionTTL.Milliseconds() {
			open = append(open, s)
		}
	}
	d.mu.Unlock()
	var out []HalfSent
	for _, s := range open {
		h, ok, err := s.halfSent(d.blobs)
		if err != nil {
			return nil, fmt.Errorf("half-sent upload: %w", err)
		}
		if ok {
			out = append(out, h)
		}
	}
	return out, nil
}

// halfSent describes a session; not ok if it is over.
func (s *session) halfSent(b *blobs) (h HalfSent, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.Done != "" {
		return h, false, nil
	}
	if s.w == nil {
		s.w = b.resume(s.ID)
	}
	var body struct {
		ID            string            `json:"id"`
		AppProperties map[string]string `json:"appProperties"`
	}
	if len(s.Body) > 0 {
		if err := json.Unmarshal(s.Body, &body); err != nil {
			return h, false, err
		}
	}
	key := md5.Sum([]byte(s.ID))
	h = HalfSent{
		Key: hex.EncodeToString(key[:4]), FileID: body.ID, AppProps: body.AppProperties,
		Total: s.Total, Stored: s.w.size, MD5: hex.EncodeToString(s.w.hashes[0].Sum(nil)),
	}
	if s.Target != "" {
		h.FileID, h.Replaces = s.Target, true
	}
	return h, true, s.w.err
}
