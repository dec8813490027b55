package config

import (
	"errors"
	"strings"
	"testing"
)

// FuzzLoad holds what every file must keep: no panic, and an error that names
// a line of the file and a key, unless it is no TOML at all.
func FuzzLoad(f *testing.F) {
	f.Add("backup = ['Pictures', '$DOCS', '~/x']\nignore = ['*.tmp', '!~/x/[a-z]/**']\nstate = 's'\n")
	f.Add("[drive]\nfodler = 1\nendpoint = 'http://[::1]:80/'\n[schedule]\ncron = ['0 4 * * *', '@daily']\njitter = '1h'\n")
	f.Add("[limits]\nupload = '08:00,512k Sat-19:00,off'\ntransfers = 1\nwrites_per_second = 1e3\n[safety]\nmax_delete = '12.5%'\nrehash = '2w3d'\non_delete = 'keep'\n")
	f.Add("safety = {max_modify = '0%', \"cross_devices\" = true}\n[log]\nlevel = \"de\\u0062ug\"\nkeep_days = 3\n")
	h := newHome(f)
	f.Fuzz(func(t *testing.T, src string) {
		if strings.Contains(src, "..") || strings.Contains(src, "'/") || strings.Contains(src, `"/`) {
			return // keep to the home that was made for this
		}
		c, err := h.load(t, src)
		if err == nil {
			if len(c.Sources) == 0 || c.Drive.Host == "" || c.Safety.MaxDelete > 1 || c.Limits.Transfers < 1 {
				t.Fatalf("accepted: %+v", c)
			}
			return
		}
		var ps Problems
		if !errors.As(err, &ps) || len(ps) == 0 {
			t.Fatalf("an error without a line: %v", err)
		}
		if SourcesOnly(err) != (c != nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
		for i, p := range ps {
			if p.Line < 1 || p.Line > 1+strings.Count(src, "\n") || i > 0 && p.Line < ps[i-1].Line {
				t.Fatalf("line %d of %q: %v", p.Line, src, err)
			}
			if p.Key == "" && len(ps) > 1 || p.File != h.path("acb.toml") || strings.TrimSpace(p.Err.Error()) == "" {
				t.Fatalf("%+v", p)
			}
		}
	})
}
