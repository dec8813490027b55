package manifest

import "strings"

// CopyPath returns where the copy of the last good manifest at path is kept.
func CopyPath(path string) string { return strings.TrimSuffix(path, ".db") + "-copy.db" }
