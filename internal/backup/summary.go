package backup

import (
	"errors"
	"slices"
	"time"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/autocloudbackup/acb/scan"
)

// Counts counts one run. Files and symlinks are each in exactly one of the
// first group; what rides in a moved folder is unchanged. Source: design §6.
type Counts struct {
	Created   int64 `json:"created"`
	Modified  int64 `json:"modified"`
	Touched   int64 `json:"touched"` // other time or mode, same content
	Moved     int64 `json:"moved"`
	Deleted   int64 `json:"deleted"` // their trash was acknowledged, alone or with a folder
	Unchanged int64 `json:"unchanged"`
	Retired   int64 `json:"retired"`   // hidden by today's rules, kept on Drive
	Unknown   int64 `json:"unknown"`   // could not be looked at; keep what they had
	Skipped   int64 `json:"skipped"`   // sockets, pipes, devices
	Failed    int64 `json:"failed"`    // should have been saved, and could not be
	HeldBack  int64 `json:"held_back"` // wait for a guard, or for the next run

	CreatedFolders int64 `json:"created_folders"`
	MovedFolders   int64 `json:"moved_folders"`
	DeletedFolders int64 `json:"deleted_folders"`
	Mended         int64 `json:"mended"`  // items that somebody else touched on Drive, put right
	Copied         int64 `json:"copied"`  // of created: copied on Drive, not sent
	Ignored        int64 `json:"ignored"` // names met and not entered
	Own            int64 `json:"own"`     // acb's own files

	Requests         int64 `json:"requests"` // HTTP requests to Drive
	Calls            int64 `json:"calls"`    // the same, those inside batches counted one by one
	Throttled        int64 `json:"throttled"`
	TokenRequests    int64 `json:"token_requests"`
	OverheadRequests int64 `json:"overhead_requests"` // for the manifest copy
	OverheadBytes    int64 `json:"overhead_bytes"`
	QuotaUnits       int64 `json:"quota_units"`
	BytesSent        int64 `json:"bytes_sent"`   // content on the wire, repeats included
	BytesCopied      int64 `json:"bytes_copied"` // content that Drive copied, so that it was not sent
	BytesRead        int64 `json:"bytes_read"`   // content read from disk
}

// A Condition is why a run was not simply done.
type Condition string

// The conditions, the gravest first: where several hold, the first decides
// the exit code. Source: design §6.
const (
	Interrupted Condition = "interrupted"
	Fatal       Condition = "fatal"
	SignIn      Condition = "sign_in_needed"
	QuotaMet    Condition = "quota_reached"
	HeldBack    Condition = "held_back"
	Incomplete  Condition = "incomplete" // some files could not be saved
)

var exitCodes = []struct {
	Condition
	code int
}{{Interrupted, 130}, {Fatal, 1}, {SignIn, 5}, {QuotaMet, 6}, {HeldBack, 4}, {Incomplete, 3}}

// A Failure is a file or folder that should have been saved and was not.
type Failure struct {
	Path   manifest.Path
	Reason string
}

// A Mended is an item that somebody else touched on Drive, and that was put
// right, or sent again by this run's plan.
type Mended struct {
	Path manifest.Path // "" of the folder that holds the whole backup
	What DriftKind
}

// A Summary is what a run did and what it left undone.
type Summary struct {
	Run        int64 // its number in the manifest; 0 for a dry run
	Counts     Counts
	Took       time.Duration
	ETA        time.Duration // of a dry run: how long the real one takes at least; 0 if nothing tells
	Conditions []Condition   // gravest first, each once
	Failures   []Failure
	Unsaved    []Failure // not failed and yet not protected: unlistable folders, mount points, ...
	Held       []plan.Held
	Quota      string          // why contents were no longer sent; "" if they were
	NotCopied  string          // why the manifest could not be copied; "" if it was, or need not be
	NotKept    []manifest.Path // whose new contents Drive does not keep for good, as it keeps as many as it does of a file
	Mended     []Mended
	Unasked    string // why Drive was not asked what others changed, although it was time to; "" if it was
	Listed     string // why all of Drive was listed for that; "" if it was not
	Sources    []SourceSummary
	Verified   *Verified // of a Verify
}

// A SourceSummary is one source's part of a run.
type SourceSummary struct {
	Path   string // as configured
	State  scan.State
	Reason string // why State is what it is, if it is not scan.OK
}

// add notes a condition, keeping the order.
func (s *Summary) add(c Condition) {
	if slices.Contains(s.Conditions, c) {
		return
	}
	s.Conditions = append(s.Conditions, c)
	rank := func(c Condition) int {
		return slices.IndexFunc(exitCodes, func(e struct {
			Condition
			code int
		}) bool {
			return e.Condition == c
		})
	}
	slices.SortFunc(s.Conditions, func(a, b Condition) int { return rank(a) - rank(b) })
}

// complete reports whether all that should be saved is: what a guard holds
// back is a trash or waits for the user's word, and was looked at.
func (s *Summary) complete() bool {
	return len(s.Conditions) == 0
}

// ExitCode returns the code of the gravest condition, or 0.
func (s *Summary) ExitCode() int {
	if len(s.Conditions) == 0 {
		return 0
	}
	return s.Conditions[0].ExitCode()
}

// ExitCode returns what a program ends with that met c.
func (c Condition) ExitCode() int {
	for _, e := range exitCodes {
		if e.Condition == c {
			return e.code
		}
	}
	return 0
}

// ConditionOf returns what an error means that ended a run or a command, as
// long as nobody interrupted it.
func ConditionOf(err error) Condition {
	var class remote.Class
	if answer := new(remote.Error); errors.As(err, &answer) {
		class = answer.Class
	}
	var account *AccountError
	var gen *remote.GenError
	var rolled *RolledBackError
	var machine *MachineError
	var client *ClientError
	var own *OwnBackupError
	switch {
	case class == remote.Auth, errors.As(err, &account):
		return SignIn
	case class == remote.StorageFull, class == remote.ItemsFull, class == remote.DailyCap:
		return QuotaMet
	case errors.As(err, &gen), errors.As(err, &rolled), errors.As(err, &machine), errors.As(err, &client), errors.As(err, &own):
		return HeldBack
	}
	return Fatal
}
