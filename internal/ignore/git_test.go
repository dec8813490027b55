package ignore

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var (
	seed = flag.Uint64("seed", rand.Uint64(), "seed of the generated rule sets")
	sets = flag.Int("sets", 50, "rule sets of each kind")
)

// A gitRepo is a scratch repository that answers what git would ignore.
type gitRepo struct {
	dir   string
	paths []string // slash-separated, all of them exist
	isDir map[string]bool
}

// newGitRepo makes a repository with the given paths; one that ends in a slash
// is a folder. Names that the file system refuses are left out.
func newGitRepo(t *testing.T, paths []string) *gitRepo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is the judge of this test and is not installed; CI has it")
	}
	r := &gitRepo{dir: t.TempDir(), isDir: map[string]bool{}}
	r.run(t, nil, "init", "-q")
	for _, p := range paths {
		name, isDir := strings.CutSuffix(p, "/")
		full := filepath.Join(r.dir, filepath.FromSlash(name))
		var err error
		if isDir {
			err = os.MkdirAll(full, 0o755)
		} else {
			os.MkdirAll(filepath.Dir(full), 0o755)
			err = os.WriteFile(full, nil, 0o644)
		}
		if err == nil {
			r.add(name, isDir)
		}
	}
	return r
}

func (r *gitRepo) add(name string, isDir bool) {
	if _, known := r.isDir[name]; known {
		return
	}
	if parent := path.Dir(name); parent != "." {
		r.add(parent, true)
	}
	r.isDir[name] = isDir
	r.paths = append(r.paths, name)
}

// run runs git so that no configuration but the repository's own has a say.
func (r *gitRepo) run(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	args = append([]string{"-c", "core.ignorecase=false", "-c", "core.precomposeunicode=false"}, args...)
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Stdin = bytes.NewReader(stdin)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "GIT_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
		"GIT_CONFIG_NOSYSTEM=1", "XDG_CONFIG_HOME="+r.dir, "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 1 { // 1: nothing is ignored
		t.Fatalf("git %s: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}

// A ruleSet is what one question to git is about: ignore files by folder, and
// the patterns of the weakest level under "config".
type ruleSet map[string]string

const configLevel = "config"

// git asks for the reason behind each path, with files named as r names them.
func (r *gitRepo) reasons(t *testing.T, set ruleSet) map[string]Reason {
	t.Helper()
	for folder, content := range set {
		file := r.file(folder)
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(file)
	}
	args := []string{"check-ignore", "-z", "-v", "-n", "--no-index", "--stdin"}
	if _, ok := set[configLevel]; ok {
		args = append([]string{"-c", "core.excludesFile=" + filepath.ToSlash(r.file(configLevel))}, args...)
	}
	var in bytes.Buffer
	for _, p := range r.paths {
		fmt.Fprintf(&in, "%s\x00", p)
	}
	fields := strings.Split(string(r.run(t, in.Bytes(), args...)), "\x00")
	if len(fields) != 4*len(r.paths)+1 {
		t.Fatalf("git answered %d fields for %d paths", len(fields), len(r.paths))
	}
	reasons := map[string]Reason{}
	for f := fields; len(f) > 1; f = f[4:] {
		var why Reason
		if f[1] != "" {
			why = Reason{Ignored, filepath.Join(r.dir, f[0]), 0, f[2]}
			if filepath.IsAbs(f[0]) {
				why.File = filepath.Clean(f[0])
			}
			why.Line, _ = strconv.Atoi(f[1])
			if strings.HasPrefix(f[2], "!") {
				why.Verdict = Included
			}
		}
		reasons[f[3]] = why
	}
	return reasons
}

// file is where git reads the rules of a folder.
func (r *gitRepo) file(folder string) string {
	if folder == configLevel {
		return filepath.Join(r.dir, ".git", "weakest")
	}
	return filepath.Join(r.dir, filepath.FromSlash(folder), ".gitignore")
}

// ours walks as a scan does: it goes down, and not into what is ignored.
func (r *gitRepo) ours(t *testing.T, set ruleSet) map[string]Reason {
	t.Helper()
	rules := map[string]*Rules{}
	var enter func(dir string) *Rules
	enter = func(dir string) *Rules {
		if known, ok := rules[dir]; ok {
			return known
		}
		var here *Rules
		if dir == "" {
			here = &Rules{root: r.dir, list: newList(parseFile([]byte(set[configLevel]))), file: r.file(configLevel)}
		} else {
			here = enter(parent(dir))
		}
		if content, ok := set[dir]; ok {
			var err error
			if here, err = here.Below(dir, strings.NewReader(content)); err != nil {
				t.Fatal(err)
			}
		}
		rules[dir] = here
		return here
	}
	reasons := map[string]Reason{}
	for _, p := range r.paths { // parents come first
		dir, name := parent(p), path.Base(p)
		if above := reasons[dir]; above.Verdict == Ignored {
			reasons[p] = above
			continue
		}
		here := enter(dir)
		reasons[p] = here.Explain(dir, name, r.isDir[p])
		if got := here.Match(dir, name, r.isDir[p]); got != reasons[p].Verdict {
			t.Errorf("%q: Match says %v, Explain %v", p, got, reasons[p])
		}
	}
	return reasons
}

func parent(p string) string {
	if dir := path.Dir(p); dir != "." {
		return dir
	}
	return ""
}

// compare asks both and returns the number of pairs and of differences; it
// reports some of them.
func (r *gitRepo) compare(t *testing.T, set ruleSet) (pairs, differ int) {
	t.Helper()
	want, got := r.reasons(t, set), r.ours(t, set)
	for _, p := range r.paths {
		w, g := want[p], got[p]
		g.File = strings.Replace(g.File, FileName, ".gitignore", 1)
		w.Pattern, g.Pattern = "", "" // git rebuilds the text; file and line tell
		if w != g {
			if differ++; differ <= 3 {
				t.Errorf("path %q (folder: %v)\n git %+v\nours %+v\nrules %q", p, r.isDir[p], w, g, set)
			}
		}
	}
	return len(r.paths), differ
}

func TestAgainstGit(t *testing.T) {
	r := newGitRepo(t, testPaths())
	t.Logf("seed %d: repeat with -seed %[1]d", *seed)
	pairs, differ := 0, 0
	for i, kind := range kinds {
		rng := rand.New(rand.NewPCG(*seed, uint64(i)))
		for range *sets {
			n, d := r.compare(t, kind.make(rng))
			pairs, differ = pairs+n, differ+d
		}
		if t.Failed() {
			t.Fatalf("%s: %d of %d pairs so far differ", kind.name, differ, pairs)
		}
	}
	t.Logf("%d pairs of rule set and path, %d differ", pairs, differ)
}

// TestClassesAgainstGit asks about every byte that a name can hold.
func TestClassesAgainstGit(t *testing.T) {
	var paths []string
	for b := 1; b < 256; b++ {
		if b != '/' {
			paths = append(paths, "x"+string([]byte{byte(b)})+"y")
		}
	}
	r := newGitRepo(t, paths)
	names := strings.Fields("alnum alpha blank cntrl digit graph lower print punct space upper xdigit nonsense")
	classes := []string{"[]-a]", "[!]-a]", "[^a-c-e]", "[a-\\]]", "[\\a-\\c]", "[[:alpha:]-z]", "[--0]", "[z-a]", "[a-]",
		"[!/]", "[+-9]", "[\\]]", "[[:]", "[[:a]", "[[:digit]", "[[a]", "[\x80-\xff]", "[é]", "[!é]", "[a/b]", "[]", "[!]", "[^]]", "[!!]", "[\\!a]", "?", "[[:alpha:][:digit:]]", "[[:alpha:", "[a", "[]a"}
	for _, n := range names {
		classes = append(classes, "[[:"+n+":]]", "[![:"+n+":]]", "[^_[:"+n+":]z]")
	}
	for _, c := range classes {
		r.compare(t, ruleSet{"": "x" + c + "y\n"})
		r.compare(t, ruleSet{"": "/*" + c + "y\n"})
	}
}
