package manifest

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// A BrokenError says that a manifest cannot be gone on with: it is damaged,
// cut short, or gone. Nothing that it may have held is taken for new or for
// deleted: there is no run until it is made anew.
type BrokenError struct {
	Path string // the database file
	What string // how it is broken
	Err  error  // what SQLite says; may be nil
}

// Error names the ways out.
func (e *BrokenError) Error() string {
	what := e.What
	if e.Err != nil {
		what += ": " + e.Err.Error()
	}
	return fmt.Sprintf("manifest %s: %s; nothing is changed on Drive until it is made anew: %s", e.Path, what, WayOut(e.Path))
}

func (e *BrokenError) Unwrap() error { return e.Err }

// IsBroken reports whether err is because a manifest, or a part of one, is
// damaged.
func IsBroken(err error) bool {
	var broken *BrokenError
	var damaged *DamagedError
	return errors.As(err, &broken) || errors.As(err, &damaged)
}

// WayOut says what can be done for the manifest at path.
func WayOut(path string) string {
	const anew = `"acb manifest rebuild" reads it from Drive`
	st, err := os.Stat(CopyPath(path))
	if err != nil {
		return anew
	}
	return fmt.Sprintf(`%s, "acb manifest restore" goes back to the copy of %s`, anew, st.ModTime().Format(time.DateTime))
}
