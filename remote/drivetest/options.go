package drivetest

import (
	"cmp"
	"time"
)

// Options describes a Drive; the zero value is a strict one in memory, with
// one account and unlimited storage.
type Options struct {
	Dir     string           // where state and content are kept; "" keeps both in memory
	Discard bool             // content is hashed and counted, then dropped; downloads fail with 500
	NoSHA   bool             // only MD5 is computed; Drive too lacks SHA sums on a few files
	Seed    uint64           // seed of ids and shuffles; 0 takes one from the system
	Now     func() time.Time // clock; nil means time.Now

	User       string        // e-mail address of the account; "" means ana@example.com
	TokenLife  time.Duration // of access tokens; 0 means 3599 s. Source: token answers of Google
	IDLife     time.Duration // of reserved ids that are not used; 0 means 24 h. Google names no number
	SessionTTL time.Duration // of an upload session without traffic; 0 means 7 days. Source: upload guide

	StorageLimit  int64 // bytes of the account; 0 means unlimited
	DailyUpload   int64 // bytes a day (Drive: 750 GB); the file that crosses the line completes; 0 means unlimited
	MaxCopy       int64 // bytes of a file that files.copy takes; 0 means 750 GB. Source: create and manage files, and limits
	MaxDepth      int   // nested folders; 0 means 100. Source: folder limits in the Drive guide
	MaxChildren   int   // items in a folder other than the root; 0 means 500000. Source: same page
	MaxItems      int   // items ever created; 0 means 500 million. Source: same page
	MaxDriveItems int   // items in a shared drive; 0 means 500000. Source: shared drive limits in the guide

	IgnoreUnknown bool          // unknown JSON fields and query parameters are ignored instead of 400
	ListLag       time.Duration // a new item is invisible to files.list for so long
	ListLagCalls  int           // ... and for so many calls of files.list
	LogSize       int           // requests kept by Log; 0 means 4096, negative none

	Throttle  Throttle
	Unsettled Unsettled

	// OnRequest, when set, is called at the start of each HTTP request with
	// its number since New or ResetStats, before anything has happened. It may block
	// or end the client.
	OnRequest func(n int, r Info)
}

// Throttle slows the Drive down; the zero value does not.
type Throttle struct {
	WritesPerSecond float64       // sustained; each part of a batch is one write. Google advises at most 3 an account
	Burst           int           // writes that may come at once; 0 means 10
	UnitsPerMinute  int           // quota units, see [Stats].Units; a new project has 325000 a user
	Latency         time.Duration // added to each HTTP request
	BytesPerSecond  int           // of each request's body and of each answer's
	TooMany         bool          // refuse by 429 rateLimitExceeded instead of 403 userRateLimitExceeded
}

// Unsettled picks one of two behaviours where Google's documents do not say,
// or say two things. A client must bear either.
type Unsettled struct {
	EditTouchesModified bool // rename, move, trash and property edits set modifiedTime unless it is sent
	ListHidesTrash      bool // files.list without q leaves trashed files out
	DeleteAnswers200    bool // files.delete answers 200 with {} instead of 204
	RootHidden          bool // files.get of root is 404 under drive.file
	ConflictAtEnd       bool // a reused id is refused at the end of a resumable upload, not at its start
	DeletedIDUnusable   bool // an id whose file was deleted is 400 on create, not 409
	Created201          bool // uploads that create answer 201 instead of 200
	BareContentID       bool // a batch part <x> is answered as response-x, without the brackets
	BatchForward        bool // parts of a batch run in the order they came; otherwise in reverse
	StrictRemoveParents bool // removeParents of a folder that is not a parent is 404; otherwise ignored
	MimeTypeRefused     bool // mimeType in an update without content is 400; otherwise ignored
	RepeatAcrossPages   bool // the last item of a page comes again as the first of the next
	OrParentsEmpty      bool // a query with two or more parents joined by or finds nothing
	UnusableReason      bool // an unusable id has reason fileIdNotUsable instead of invalid
	NoGzip              bool // answers are never compressed
	CopyKeepsProperties bool // files.copy carries the original's properties over; otherwise a copy has only what is sent
	TrashedNotCopied    bool // files.copy of what is in the trash is 403; otherwise it is copied, and not trashed
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.User = cmp.Or(o.User, "ana@example.com")
	o.TokenLife = cmp.Or(o.TokenLife, 3599*time.Second)
	o.IDLife = cmp.Or(o.IDLife, 24*time.Hour)
	o.SessionTTL = cmp.Or(o.SessionTTL, 7*24*time.Hour)
	o.MaxCopy = cmp.Or(o.MaxCopy, 750_000_000_000)
	o.MaxDepth = cmp.Or(o.MaxDepth, 100)
	o.MaxChildren = cmp.Or(o.MaxChildren, 500_000)
	o.MaxItems = cmp.Or(o.MaxItems, 500_000_000)
	o.MaxDriveItems = cmp.Or(o.MaxDriveItems, 500_000)
	o.LogSize = cmp.Or(o.LogSize, 4096)
	return o
}
