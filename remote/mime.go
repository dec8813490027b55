package remote

import (
	"strings"

	"github.com/autocloudbackup/acb/manifest"
)

const (
	folderType = "application/vnd.google-apps.folder"
	blobType   = "application/octet-stream"
)

// types are the content types by which Drive shows a preview to a person who
// opens it. The table is ours and short, because mime.TypeByExtension answers
// differently on every machine, and what is sent without a type Drive guesses.
// None may begin with application/vnd.google-apps: Drive would convert.
var types = map[string]string{
	"avif": "image/avif", "bmp": "image/bmp", "gif": "image/gif", "heic": "image/heic",
	"jpeg": "image/jpeg", "jpg": "image/jpeg", "png": "image/png", "svg": "image/svg+xml",
	"tif": "image/tiff", "tiff": "image/tiff", "webp": "image/webp",

	"aac": "audio/aac", "flac": "audio/flac", "m4a": "audio/mp4", "mp3": "audio/mpeg",
	"oga": "audio/ogg", "ogg": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav",

	"avi": "video/x-msvideo", "m4v": "video/mp4", "mkv": "video/x-matroska", "mov": "video/quicktime",
	"mp4": "video/mp4", "mpeg": "video/mpeg", "mpg": "video/mpeg", "webm": "video/webm",

	"css": "text/css", "csv": "text/csv", "htm": "text/html", "html": "text/html",
	"js": "text/javascript", "json": "application/json", "log": "text/plain", "md": "text/markdown",
	"txt": "text/plain", "xml": "text/xml", "yaml": "text/yaml", "yml": "text/yaml",
	"c": "text/x-c", "go": "text/x-go", "java": "text/x-java", "py": "text/x-python", "sh": "text/x-sh",

	"doc":  "application/msword",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"epub": "application/epub+zip",
	"odp":  "application/vnd.oasis.opendocument.presentation",
	"ods":  "application/vnd.oasis.opendocument.spreadsheet",
	"odt":  "application/vnd.oasis.opendocument.text",
	"pdf":  "application/pdf",
	"ppt":  "application/vnd.ms-powerpoint",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"rtf":  "application/rtf",
	"xls":  "application/vnd.ms-excel",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",

	"7z": "application/x-7z-compressed", "gz": "application/gzip", "tar": "application/x-tar", "zip": "application/zip",
}

// typeOf returns the content type of a file by its name.
func typeOf(name string, kind manifest.Kind) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || kind != manifest.File {
		return blobType
	}
	if t, ok := types[strings.ToLower(name[i+1:])]; ok {
		return t
	}
	return blobType
}
