package manifest

// syncDir has nothing to do: NTFS journals names by itself, and a folder
// cannot be opened to be synced.
func syncDir(string) error { return nil }
