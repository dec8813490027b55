package drivetest

// Kind names what a request does, in Google's own words for the methods of
// the API: files.create, files.list, ... Uploads, batches and sign-in have
// names of their own.
type Kind string

const (
	About         Kind = "about.get"
	Create        Kind = "files.create" // without content
	Update        Kind = "files.update" // without content
	Get           Kind = "files.get"
	Download      Kind = "files.download" // files.get or revisions.get with alt=media
	List          Kind = "files.list"
	Copy          Kind = "files.copy"
	Delete        Kind = "files.delete"
	EmptyTrash    Kind = "files.emptyTrash"
	GenerateIDs   Kind = "files.generateIds"
	StartPage     Kind = "changes.getStartPageToken"
	Changes       Kind = "changes.list"
	RevisionList  Kind = "revisions.list"
	RevisionGet   Kind = "revisions.get"
	RevisionEdit  Kind = "revisions.update"
	RevisionDel   Kind = "revisions.delete"
	DriveList     Kind = "drives.list"
	DriveGet      Kind = "drives.get"
	DriveCreate   Kind = "drives.create"
	UploadMedia   Kind = "upload.media"
	UploadMulti   Kind = "upload.multipart"
	UploadStart   Kind = "upload.initiate"
	UploadChunk   Kind = "upload.chunk"
	UploadQuery   Kind = "upload.query"
	UploadCancel  Kind = "upload.cancel"
	UploadUnknown Kind = "upload.unknown" // refused: no such uploadType
	Batch         Kind = "batch"
	Consent       Kind = "oauth.consent"
	TokenGrant    Kind = "oauth.token"
	DeviceCode    Kind = "oauth.device"
	Revoke        Kind = "oauth.revoke"
	Unknown       Kind = "unknown" // no such address
)

// units is the quota cost of a call. Source: the limits page of 2026; create
// and upload chunks are not itemised there and are taken as edits.
func (k Kind) units() int {
	switch k {
	case List, Changes, RevisionList, DriveList:
		return 100
	case Download:
		return 200
	case Create, Update, Copy, Delete, EmptyTrash, RevisionEdit, RevisionDel, DriveCreate,
		UploadMedia, UploadMulti, UploadStart, UploadChunk:
		return 50
	case Batch, Consent, TokenGrant, DeviceCode, Revoke, Unknown, UploadUnknown:
		return 0 // a batch is the sum of its parts
	}
	return 5
}

// writes says whether a call counts against the write throttle. A resumable
// upload counts once, when it begins.
func (k Kind) writes() bool {
	switch k {
	case Create, Update, Copy, Delete, EmptyTrash, RevisionEdit, RevisionDel, DriveCreate, UploadMedia, UploadMulti, UploadStart:
		return true
	}
	return false
}

// oauth says whether the request goes to the sign-in servers rather than to Drive.
func (k Kind) oauth() bool {
	switch k {
	case Consent, TokenGrant, DeviceCode, Revoke:
		return true
	}
	return false
}

// upload says whether the request may carry content.
func (k Kind) upload() bool { return k == UploadMedia || k == UploadMulti || k == UploadChunk }
