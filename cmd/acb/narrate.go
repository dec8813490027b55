package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/autocloudbackup/acb/internal/plan"
	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
	"github.com/dustin/go-humanize"
)

// narrator returns what tells of each operation as it ends: a line of text or
// a JSON object, to w. With -vv a line also says why, under which id, and how
// long it took.
func (a *app) narrator(w io.Writer, asJSON bool) func(remote.Ack, error) {
	if a.verbose == 0 {
		return nil
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(ack remote.Ack, err error) {
		if err != nil {
			return // the report has it
		}
		if asJSON {
			o := opJSON("done", ack.Op)
			o.Bytes, o.ID, o.Seconds = ack.Bytes, string(ack.Content.FileID), ack.Took.Seconds()
			enc.Encode(o) // a closed stdout is noticed by the summary
			return
		}
		line := opLine(ack.Op)
		if a.verbose > 1 {
			line += fmt.Sprintf(": %s; id %s, %s", why(ack.Op), ack.Content.FileID, took(ack.Took))
			if ack.Bytes > 0 {
				line += ", " + humanize.IBytes(uint64(ack.Bytes)) + " sent"
			}
		}
		fmt.Fprintln(w, line)
	}
}

// opLine says what an operation does, for a person.
func opLine(op *plan.Op) string {
	line := fmt.Sprintf("%-13s %s", op.Kind, shown(op.Path))
	if op.From != "" {
		line = fmt.Sprintf("%-13s %s -> %s", op.Kind, shown(op.From), shown(op.Path))
	}
	if op.Kind.Sends() || op.Kind == plan.Copy {
		line += " (" + humanize.IBytes(uint64(op.Stat.Size)) + ")"
	}
	if op.Files > 0 {
		line += " (" + count(int64(op.Files), "file", "files") + ")"
	}
	return line
}

func opJSON(kind string, op *plan.Op) jsonOp {
	o := jsonOp{Type: kind, Op: op.Kind.String(), Path: exact(op.Path), Files: op.Files}
	if op.Kind.Sends() || op.Kind == plan.Copy {
		o.Bytes = op.Stat.Size
	}
	if op.From != "" {
		o.From = exact(op.From)
	}
	return o
}

// why says what on disk made an operation necessary.
func why(op *plan.Op) string {
	var was, is *manifest.Stat
	switch {
	case op.Dir != nil && op.Dir.Old != nil && op.Kind == plan.CreateFolder:
		return "it was no longer on Drive"
	case op.File != nil && op.File.Old != nil && op.Kind.Creates():
		return "it was no longer on Drive"
	case op.File != nil && op.File.Old != nil && op.File.New != nil:
		was, is = &op.File.Old.Stat, &op.File.New.Stat
	}
	switch op.Kind {
	case plan.CreateFolder, plan.Upload:
		return "new"
	case plan.Copy:
		return "new, and Drive has the same content"
	case plan.TrashFile, plan.TrashFolder:
		return "it is gone here"
	case plan.MoveFolder:
		return "the same folder is found here"
	case plan.MoveFile:
		return "the same content is found here"
	case plan.Update:
		return "other content" + differs(was, is)
	}
	return "the same content" + differs(was, is)
}

// differs lists what two stats differ in.
func differs(was, is *manifest.Stat) string {
	var parts []string
	if was.Kind != is.Kind {
		parts = append(parts, "other kind")
	}
	if was.Size != is.Size {
		parts = append(parts, fmt.Sprintf("%s before", humanize.IBytes(uint64(was.Size))))
	}
	if was.ModTime != is.ModTime {
		parts = append(parts, "other time")
	}
	if was.Mode != is.Mode {
		parts = append(parts, "other mode")
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}
