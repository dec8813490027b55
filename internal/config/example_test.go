package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/BurntSushi/toml"
)

// exampleText is the example that lies at the top of the repository.
func exampleText(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "acb.toml.example"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var commentedKey = regexp.MustCompile(`(?m)^# ([a-z_]+ = )`)

// TestExampleShowsEveryKey fails when a key is added to one of the example and
// the code but not the other.
func TestExampleShowsEveryKey(t *testing.T) {
	meta, err := toml.Decode(commentedKey.ReplaceAllString(exampleText(t), "$1"), new(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	var shown, known []string
	for _, k := range meta.Keys() {
		if !slices.Contains(tables(), k.String()) {
			shown = append(shown, k.String())
		}
	}
	for _, k := range keys {
		known = append(known, k.name)
	}
	if !slices.Equal(shown, known) {
		t.Errorf("the example shows\n%q\nthe keys are\n%q", shown, known)
	}
}

// TestExampleShowsDefaults loads the example as it is, and with every comment
// before a key taken away: the values shown are the defaults, but for those
// that have none.
func TestExampleShowsDefaults(t *testing.T) {
	h := newHome(t)
	h.env.StateHome = h.path(".local/state")
	plain, err := h.load(t, exampleText(t))
	if err != nil {
		t.Fatal(err)
	}
	full, err := h.load(t, commentedKey.ReplaceAllString(exampleText(t), "$1"))
	if err != nil {
		t.Fatal(err)
	}
	if full.Schedule.Cron.IsZero() || full.Schedule.Verify.IsZero() || full.Drive.SharedDrive == "" {
		t.Errorf("the example does not show %+v, %+v", full.Schedule, full.Drive)
	}
	full.Schedule.Cron, full.Schedule.Verify, full.Drive.SharedDrive = plain.Schedule.Cron, plain.Schedule.Verify, ""
	want := Default(h.path("acb.toml"), h.env)
	want.Sources, want.Ignore = plain.Sources, plain.Ignore
	for _, c := range []*Config{plain, full} {
		if !reflect.DeepEqual(*c, want) {
			t.Errorf("%+v\nwant %+v", *c, want)
		}
	}
	if len(plain.Sources) != 2 || len(plain.Ignore) != 3 {
		t.Errorf("sources %v, ignore %v", plain.Sources, plain.Ignore)
	}
}
