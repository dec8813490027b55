// Package drivetest is a Google Drive v3 look-alike over real HTTP: strict,
// countable, breakable. Programs that talk to Drive are tested against it,
// and it can stand in for Drive where there is no account.
//
//	d := drivetest.Start()                        // memory, loopback, one account, one OAuth client
//	defer d.Close()
//	svc, err := drive.NewService(ctx, option.WithHTTPClient(d.Client()), option.WithEndpoint(d.URL+"/drive/v3/"))
//	...
//	d.Inject(drivetest.At(3, drivetest.Lost))     // the fourth request happens, its answer does not arrive
//	...
//	d.Stats().Requests["files.create"]            // how many HTTP requests, by kind
//	d.Tree("root")                                // what is there, path by path
//	d.Trash(id)                                   // as another person would, in the browser
//
// [New] makes a [Drive], which is an [http.Handler] with state; with
// [Options].Dir the state lives in a folder and survives a kill. [Listen] puts
// a Drive on a loopback port in this process, [Drive.Serve] on any listener,
// [Start] does New and Listen for tests. [Drive.Credentials] writes Google's
// own client JSON pointing at this server, [Drive.Token] issues a token
// without a browser.
//
// The answers follow what Google documents and what clients have recorded;
// where neither settles a question, [Unsettled] holds a switch, so that a
// client can be run against both behaviours. The look-alike is never kinder
// than Drive: ids exist only after files.generateIds, parts of a batch run in
// no useful order, tokens expire, an unknown field is an error.
//
// Everything here is for one process and one clock; it imports nothing but
// the standard library, so that it is cheap to link into a program.
package drivetest
