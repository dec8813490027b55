// Package remote is the only room that knows HTTP and Google Drive.
//
// [New] makes a [Drive] from an authenticated HTTP client and sends nothing.
// [Drive.HostFolder] finds or makes the two folders that everything is kept
// under, [Drive.Apply] carries out planned operations and tells a [Journal]
// what is about to be created and what Drive has acknowledged, [Drive.Check]
// looks items up by id, [Drive.Account] says whose Drive it is, [Drive.Stats]
// what it has cost so far.
//
// What the rest of the package does for them, a file each:
//
//	call, batch    a metadata call; up to 100 of them in one request
//	multipart      a file up to 5 MiB: one request
//	resumable      a larger file: chunk by chunk
//	session        where a larger file goes, and how a later run goes on with it
//	retry, pacer   what is tried again and when; how fast anything may go
//	error          what an answer means for the caller
//	ids            reserved file ids, so that no lost answer makes a duplicate
//	gen            which copy of a manifest may change anything
//	changes        what was changed on Drive, by whomever
//	mend, putback  what somebody trashed, moved or deleted is put right
//	name, meta     how names, times and modes are written on Drive
package remote
