package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/autocloudbackup/acb/internal/backup"
	"github.com/autocloudbackup/acb/manifest"
)

// undoFlags are the flags of "acb undo".
type undoFlags struct {
	dryRun bool
	yes    bool
	json   bool
}

func (a *app) undoCommand() *cobra.Command {
	var f undoFlags
	cmd := &cobra.Command{
		Use:   "undo RUN",
		Short: "Take back on Drive what a run did",
		Long: `Undo makes Drive be as it was before a run: what the run trashed comes out of the
trash, what it moved goes back, what was new goes into the trash, and what it
replaced is fetched from the revision that Drive keeps and sent again. What was
changed again since stays, and is listed. It shows what it would do, and asks.

On disk nothing changes, so the next scan would save the disk as it is again:
bring the files back first, with acb restore --in-place --overwrite --at RUN.

` + exitCodesHelp,
		Example: `  acb log          which run was it?
  acb undo 17 -n`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.undo(cmd.Context(), f, args[0]) },
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.dryRun, "dry-run", "n", false, "show what would be done, and change nothing")
	fl.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	fl.BoolVar(&f.json, "json", false, "print one JSON object a line; the last is the summary")
	return cmd
}

func (a *app) undo(ctx context.Context, f undoFlags, arg string) error {
	n, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || n < 1 {
		return &exitError{exitUsage, fmt.Errorf("undo %q: a run is a number; acb log lists them", arg)}
	}
	s, err := a.open("acb undo", f.dryRun)
	if err != nil {
		return err
	}
	defer s.Close()
	run := manifest.RunID(n)
	steps, err := s.PlanUndo(run)
	if errors.Is(err, backup.ErrNoRun) {
		return &exitError{exitUsage, err}
	}
	if err != nil {
		return err
	}
	todo := 0
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	for _, step := range steps {
		if step.Why == "" {
			todo++
		}
		if f.json {
			err = enc.Encode(jsonUndo{differenceJSON(step.Difference), step.Why})
		} else {
			_, err = fmt.Fprintln(a.out, undoLine(step))
		}
		if err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	if todo == 0 {
		return a.nothingTo("take back of run " + arg)
	}
	if f.dryRun {
		return nil
	}
	if err := a.agree(ctx, f.yes, "Take back %s on Drive? The disk stays as it is.", count(int64(todo), "change", "changes")); err != nil {
		return err
	}
	sum, err := s.Undo(ctx, run)
	if err != nil {
		a.warn("%v", err)
	}
	if err := a.finish(sum, s, scanFlags{json: f.json}); err != nil {
		return err
	}
	a.say("the next scan saves again what is on disk; to bring the files back first: acb restore --in-place --overwrite --at %d", n-1)
	return nil
}

// undoWords say how each kind of difference is taken back.
var undoWords = map[manifest.DifferenceKind]string{
	manifest.WasCreated: "trash", manifest.WasModified: "send again as it was", manifest.WasTouched: "set time and mode back",
	manifest.WasMoved: "move back", manifest.WasDeleted: "take out of the trash",
}

func undoLine(s backup.UndoStep) string {
	line := undoWords[s.Kind] + "  " + shown(s.Path())
	if s.Kind == manifest.WasMoved {
		line = undoWords[s.Kind] + "  " + shown(s.New) + " -> " + shown(s.Old)
	}
	if s.IsDir() {
		line += "/"
	}
	if s.Why != "" {
		return "leave  " + shown(s.Path()) + ": " + s.Why
	}
	return line
}

// A jsonUndo is one step for programs.
type jsonUndo struct {
	jsonDifference
	Left string `json:"left,omitempty"` // why it is not taken back
}
