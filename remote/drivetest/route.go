package drivetest

import (
	"net/http"
	"strings"
)

// route is one method of the API.
type route struct {
	kind   Kind
	verb   string
	path   []string // "*" matches one segment
	params map[string]byte
	scopes map[string]bool
	do     func(*call) (any, error)
}

// Scopes, without their common prefix.
const (
	scopePrefix = "https://www.googleapis.com/auth/"
	reads       = "drive drive.file drive.appdata drive.metadata drive.metadata.readonly drive.readonly drive.photos.readonly drive.meet.readonly"
	edits       = "drive drive.file drive.appdata"
	fileFlags   = " supportsAllDrives:b supportsTeamDrives:b enforceSingleParent:b includeLabels includePermissionsForView"
	listFlags   = " supportsAllDrives:b supportsTeamDrives:b includeItemsFromAllDrives:b includeTeamDriveItems:b includeLabels" +
		" includePermissionsForView driveId teamDriveId pageSize:i pageToken spaces"
	createFlags = fileFlags + " ignoreDefaultVisibility:b keepRevisionForever:b ocrLanguage useContentAsIndexableText:b"
	updateFlags = fileFlags + " addParents removeParents keepRevisionForever:b ocrLanguage useContentAsIndexableText:b"
)

// routes are the methods below /drive/v3. Parameters and scopes are those of
// the discovery document.
var routes = []*route{
	newRoute(About, "GET about", "", reads, (*call).about),
	newRoute(GenerateIDs, "GET files/generateIds", "count:i space type", edits, (*call).generateIDs),
	newRoute(EmptyTrash, "DELETE files/trash", "driveId enforceSingleParent:b", "drive", (*call).emptyTrash),
	newRoute(List, "GET files", "q orderBy corpora corpus"+listFlags, reads, (*call).list),
	newRoute(Create, "POST files", createFlags, edits, (*call).create),
	newRoute(Get, "GET files/*", "acknowledgeAbuse:b"+fileFlags, reads, (*call).getFile),
	newRoute(Update, "PATCH files/*", updateFlags, edits+" drive.metadata drive.scripts", (*call).update),
	newRoute(Delete, "DELETE files/*", fileFlags, edits, (*call).deleteFile),
	newRoute(Copy, "POST files/*/copy", "copyComments:b"+createFlags, edits+" drive.photos.readonly", (*call).copyFile),
	newRoute(RevisionList, "GET files/*/revisions", "pageSize:i pageToken", reads, (*call).listRevisions),
	newRoute(RevisionGet, "GET files/*/revisions/*", "acknowledgeAbuse:b", reads, (*call).getRevision),
	newRoute(RevisionEdit, "PATCH files/*/revisions/*", "", edits, (*call).updateRevision),
	newRoute(RevisionDel, "DELETE files/*/revisions/*", "", edits, (*call).deleteRevision),
	newRoute(StartPage, "GET changes/startPageToken", "driveId supportsAllDrives:b supportsTeamDrives:b teamDriveId", reads, (*call).startPageToken),
	newRoute(Changes, "GET changes", "includeRemoved:b restrictToMyDrive:b includeCorpusRemovals:b"+listFlags, reads, (*call).listChanges),
	newRoute(DriveList, "GET drives", "pageSize:i pageToken q useDomainAdminAccess:b", "drive drive.readonly", (*call).listDrives),
	newRoute(DriveCreate, "POST drives", "requestId", "drive", (*call).createDrive),
	newRoute(DriveGet, "GET drives/*", "useDomainAdminAccess:b", "drive drive.readonly", (*call).getDrive),
}

// uploadRoutes are those below /upload/drive/v3; their kind depends on
// uploadType. setModifiedDate is a parameter of API v2 that Drive lets pass
// and ignores. Source: rclone sends it whenever it replaces a large content.
var uploadRoutes = []*route{
	newRoute(UploadUnknown, "POST files", createFlags, edits, nil),
	newRoute(UploadUnknown, "PATCH files/*", updateFlags+" setModifiedDate:b", edits, nil),
}

func newRoute(k Kind, where, params, scopes string, do func(*call) (any, error)) *route {
	verb, path, _ := strings.Cut(where, " ")
	r := &route{kind: k, verb: verb, path: strings.Split(path, "/"), params: map[string]byte{}, scopes: map[string]bool{}, do: do}
	for _, p := range strings.Fields(params + " " + commonParams) {
		name, kind, typed := strings.Cut(p, ":")
		r.params[name] = 's'
		if typed {
			r.params[name] = kind[0]
		}
	}
	for _, s := range strings.Fields(scopes) {
		r.scopes[scopePrefix+s] = true
	}
	return r
}

// find gives the route of a request and what its wildcards matched.
func find(routes []*route, verb, path string) (*route, []string) {
	seg := strings.Split(path, "/")
next:
	for _, r := range routes {
		if r.verb != verb || len(r.path) != len(seg) {
			continue
		}
		var args []string
		for i, want := range r.path {
			switch {
			case want == "*" && seg[i] != "":
				args = append(args, seg[i])
			case want != seg[i]:
				continue next
			}
		}
		return r, args
	}
	return nil, nil
}

// Prefixes of the API. The second upload prefix is the one in the discovery document.
const (
	apiPrefix     = "/drive/v3/"
	uploadPrefix  = "/upload/drive/v3/"
	uploadPrefix2 = "/resumable/upload/drive/v3/"
	batchPath     = "/batch/drive/v3"
)

// resolve fills in kind, route and args of a call from its address.
func (c *call) resolve() {
	c.kind = Unknown
	if over := c.header.Get("X-Http-Method-Override"); over != "" && c.method == http.MethodPost {
		c.method = strings.ToUpper(over)
	}
	switch {
	case c.path == batchPath && c.method == http.MethodPost:
		c.kind = Batch
	case strings.HasPrefix(c.path, apiPrefix):
		c.route, c.args = find(routes, c.method, c.path[len(apiPrefix):])
		if c.route == nil {
			return
		}
		c.kind = c.route.kind
		if (c.kind == Get || c.kind == RevisionGet) && strings.EqualFold(c.get("alt"), "media") {
			c.kind = Download
		}
	case strings.HasPrefix(c.path, uploadPrefix):
		c.resolveUpload(c.path[len(uploadPrefix):])
	case strings.HasPrefix(c.path, uploadPrefix2):
		c.resolveUpload(c.path[len(uploadPrefix2):])
	}
}

func (c *call) resolveUpload(path string) {
	if c.has("upload_id") {
		switch {
		case c.method == http.MethodDelete:
			c.kind = UploadCancel
		case c.method != http.MethodPut && c.method != http.MethodPost:
			return
		case isQuery(c.header.Get("Content-Range")):
			c.kind = UploadQuery
		default:
			c.kind = UploadChunk
		}
		c.route = uploadRoutes[0]
		return
	}
	c.route, c.args = find(uploadRoutes, c.method, path)
	if c.route == nil {
		return
	}
	switch c.get("uploadType") {
	case "media":
		c.kind = UploadMedia
	case "multipart":
		c.kind = UploadMulti
	case "resumable":
		c.kind = UploadStart
	default:
		c.kind = UploadUnknown
	}
}
