package backup

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// The keys under which the manifest keeps what it knows of its copy on Drive.
const (
	metaCopy      = "copy"
	metaCopyBegun = "copy_begun" // "yes" while it may or may not exist
	metaCopySent  = "copy_sent"  // when, in seconds since 1970
)

// sendEvery is how often a copy of the manifest is sent to Drive at most.
// Source: design §3.
const sendEvery = 24 * time.Hour

// copies copies the manifest after a run that changed something and ended
// well: into the state folder as often as its size allows (see
// manifest.CopyIsDue), and once a day to Drive. A copy that cannot be made
// harms nothing that is saved, and is told.
func (r *run) copies(ctx context.Context) {
	if !r.journal.wrote || slices.Contains(r.sum.Conditions, Interrupted) {
		return
	}
	now := r.Scan.Now()
	send, err := r.sendIsDue(now)
	due := send
	if err == nil && !due {
		due, err = manifest.CopyIsDue(r.Store.Path(), now)
	}
	if err == nil && due {
		r.progress.phase("copying the manifest")
		err = manifest.Copy(r.Store.Path(), manifest.CopyPath(r.Store.Path()), now)
	}
	if err == nil && send {
		if err = r.sendCopy(ctx, now); errors.Is(err, context.Canceled) && ctx.Err() != nil {
			err = nil // the next run sends it
		}
	}
	if err != nil {
		r.Log.Warn("manifest copy", "error", err)
		r.sum.NotCopied = err.Error()
	}
}

// sendIsDue reports whether a copy is to be sent: a run for which Drive had
// nothing to do sends nothing.
func (r *run) sendIsDue(now time.Time) (bool, error) {
	if r.CopyLimit == 0 || !r.journal.heard || slices.Contains(r.sum.Conditions, QuotaMet) {
		return false, nil
	}
	last, err := r.metaNumber(metaCopySent)
	age := now.Sub(time.Unix(last, 0))
	return age < 0 || age >= sendEvery, err
}

// sendCopy sends the copy in the state folder, compressed, and counts what
// that cost apart from the run.
func (r *run) sendCopy(ctx context.Context, now time.Time) (err error) {
	packed, size, err := compress(manifest.CopyPath(r.Store.Path()), r.CopyLimit)
	if err != nil {
		return fmt.Errorf("compress manifest copy: %w", err)
	}
	defer func() { err = errors.Join(err, packed.Close(), os.Remove(packed.Name())) }()
	sent := map[string]string{metaCopySent: strconv.FormatInt(now.Unix(), 10)}
	if size > r.CopyLimit {
		r.Log.Info("manifest copy is not sent, it is too large", "limit", r.CopyLimit)
		return r.Store.SetMeta(sent)
	}
	id, err1 := r.Store.Meta(metaCopy)
	begun, err2 := r.Store.Meta(metaCopyBegun)
	lay, err3 := knownLayout(r.Store)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	before := r.Drive.Stats()
	known := remote.ManifestCopy{FileID: manifest.FileID(id), Begun: begun != ""}
	at, err := r.Drive.KeepCopy(ctx, known, lay.Top, packed, size, r.keepCopyID)
	after := r.Drive.Stats()
	r.sum.Counts.OverheadRequests, r.sum.Counts.OverheadBytes = after.Requests-before.Requests, after.Sent-before.Sent
	if err != nil {
		return err
	}
	r.Log.Info("manifest copy sent", "id", string(at.FileID), "bytes", size)
	return errors.Join(r.keepCopyID(at), r.Store.SetMeta(sent))
}

// keepCopyID makes durable which file on Drive holds the copy.
func (r *run) keepCopyID(at remote.ManifestCopy) error {
	begun := ""
	if at.Begun {
		begun = "yes"
	}
	return r.Store.SetMeta(map[string]string{metaCopy: string(at.FileID), metaCopyBegun: begun})
}

// compress writes a file compressed beside itself, and returns it with its
// size: above limit, that of a part.
func compress(path string, limit int64) (*os.File, int64, error) {
	from, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer from.Close()
	to, err := os.OpenFile(path+".gz", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, 0, err
	}
	w := &limited{w: to, left: limit}
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err == nil {
		_, err = io.Copy(zip, from)
	}
	if err == nil {
		err = zip.Close()
	}
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, 0, errors.Join(err, to.Close(), os.Remove(to.Name()))
	}
	return to, limit - w.left, nil
}

var errTooLarge = errors.New("above the limit")

// limited is a Writer that takes so many bytes.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errTooLarge
	}
	return l.w.Write(p)
}

// recount writes the counters of a run that has ended once more, with what
// its copies cost.
func (r *run) recount() error {
	if r.sum.Counts.OverheadRequests == 0 {
		return nil
	}
	counters, err := r.report()
	if err != nil {
		return err
	}
	return r.Store.RecountRun(r.id, counters)
}

// BringBack goes back to a copy of the manifest at path, from its usual place
// if from is "", and returns where what was there is kept now. Drive may have
// been changed since that copy was made: the generations that the copy has are
// taken from it, so that acb changes nothing on Drive before the manifest was
// compared with it.
func BringBack(path, from string, now time.Time) (kept string, err error) {
	if from == "" {
		from = manifest.CopyPath(path)
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("restore manifest: there is no copy at %s: name another one, or \"acb manifest rebuild\" reads it from Drive", from)
		}
	}
	kept, err = manifest.Restore(path, from, "until", now)
	if err != nil {
		return "", err
	}
	s, err := manifest.Open(path)
	if err != nil {
		return kept, err
	}
	return kept, errors.Join(s.SetMeta(map[string]string{metaGens: ""}), s.Close())
}
