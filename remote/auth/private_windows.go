package auth

import "io/fs"

// checkPrivate accepts every file: Windows has no modes, and a file in a
// user's profile inherits a list that names that user and the administrators.
func checkPrivate(string, fs.FileInfo) error { return nil }
