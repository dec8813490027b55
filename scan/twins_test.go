//go:build linux

package scan

import (
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autocloudbackup/acb/manifest"
)

// large makes a content of the least size that is copied, and a bit more; what
// it is made of shows only where no sample is taken.
func large(t *testing.T, root, name, text string, more int) {
	t.Helper()
	b := []byte(strings.Repeat("x", manifest.Large+more))
	copy(b[manifest.Large/4:], text)
	if err := os.WriteFile(filepath.Join(root, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// twinsOf scans and tells each new file's twin: "b: a".
func twinsOf(t *testing.T, s *manifest.Store, src []Source, opts Options) (list []string, read int64) {
	t.Helper()
	res := mustTree(t, s, src, opts)
	for _, c := range manifest.Diff(res.Observation).Files {
		if c.Kind != manifest.Created {
			continue
		}
		of := "-"
		if c.Twin != nil {
			of = c.Twin.Name
			if p := c.Twin.In; p.Source != 0 || c.Twin.Path() != src[0].Path.Join(c.Twin.Name) {
				t.Errorf("%s: twin at %+v", c.New.Name, p)
			}
			if h := hashOf(t, c.New.Path(), manifest.File); c.New.Hash != h || c.Twin.Hash != h {
				t.Errorf("%s: hash %v, twin's %v, should be %v", c.New.Name, c.New.Hash, c.Twin.Hash, h)
			}
		}
		list = append(list, c.New.Name+": "+of)
	}
	slices.Sort(list)
	return list, res.BytesRead
}

func TestTwins(t *testing.T) {
	root, s, src := scanned(t, "head -c 300000 /dev/zero >a; head -c 300001 /dev/zero >lost; head -c 9 /dev/zero >small")
	for _, name := range []string{"a", "lost", "small"} {
		put(t, s, src[0].Path.Join(name), func(e *manifest.Entry) {
			e.MD5 = md5.Sum([]byte(name))
			if name == "lost" {
				e.Flags |= manifest.Lost
			}
		})
	}
	sh(t, root, "cp a b; cp a c; ln -s a link; cp lost d; cp small e; head -c 300000 /dev/urandom >f; head -c 300002 /dev/urandom >g")
	for i, text := range []string{"one", "two", "one", "3"} {
		large(t, root, fmt.Sprint("h", i), text, i/3)
	}
	head := func(name string, piece byte) { // looks like no other of its size
		f, err := os.OpenFile(filepath.Join(root, name), os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt([]byte{piece}, manifest.Large/2)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	large(t, root, "h4", "one", 0)
	head("h4", '!')
	got, read := twinsOf(t, s, src, Options{})
	want := []string{"b: a", "c: a", "d: -", "e: -", "f: -", "g: -", "h0: -", "h1: -", "h2: h0", "h3: -", "h4: -", "link: -", "lost: d"}
	if !slices.Equal(got, want) {
		t.Errorf("twins:\n%v\nwant\n%v", got, want)
	}
	// a's size: three; the size of lost, which two have: samples and contents;
	// four of h0's size: samples, and three contents that look alike.
	const samples = 3 * samplePiece
	if want := 300_001 + 3*300_000 + 2*samples + 300_001 + 4*samples + 3*manifest.Large; read != int64(want) {
		t.Errorf("%d bytes read, want %d", read, want)
	}
}

// TestTwinsUnreadable: what cannot be looked at is sent as ever.
func TestTwinsUnreadable(t *testing.T) {
	root, s, src := scanned(t, "head -c 300000 /dev/zero >a")
	put(t, s, src[0].Path.Join("a"), func(e *manifest.Entry) { e.MD5[0] = 1 })
	sh(t, root, "cp a b; head -c 300001 /dev/zero >c; cp c d")
	gone := &meddling{system: native, opening: func(name string) { os.Remove(filepath.Join(root, name)) }}
	got, _ := twinsOf(t, s, src, Options{system: gone})
	if want := []string{"b: -", "c: -", "d: -"}; !slices.Equal(got, want) {
		t.Errorf("twins: %v", got)
	}
}
