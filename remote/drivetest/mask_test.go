package drivetest

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	const doc = `{"kind":"k","id":"i","owners":[{"me":true,"kind":"u"},{"me":false,"kind":"v"}],"appProperties":{"a":"1","b":"2"},` +
		`"capabilities":{"canEdit":true,"canCopy":false}}`
	for _, tt := range []struct{ mask, want string }{
		{"", `{}`},
		{"  ", `{}`},
		{"id", `{"id":"i"}`},
		{" id , kind ", `{"id":"i","kind":"k"}`},
		{"*", doc},
		{"owners/me", `{"owners":[{"me":true},{"me":false}]}`},
		{"owners(me)", `{"owners":[{"me":true},{"me":false}]}`},
		{"owners(me,kind)", `{"owners":[{"me":true,"kind":"u"},{"me":false,"kind":"v"}]}`},
		{"owners/me,owners/kind", `{"owners":[{"me":true,"kind":"u"},{"me":false,"kind":"v"}]}`},
		{"capabilities,capabilities/canEdit", `{"capabilities":{"canEdit":true,"canCopy":false}}`},
		{"capabilities/canEdit,capabilities", `{"capabilities":{"canEdit":true,"canCopy":false}}`},
		{"capabilities(*)", `{"capabilities":{"canEdit":true,"canCopy":false}}`},
		{"appProperties/a", `{"appProperties":{"a":"1"}}`},
		{"id,nonsense", "nonsense"},
		{"owners/nonsense", "nonsense"},
		{"id/x", "id/x"},
		{"id,", ""},
		{",id", ",id"},
		{"owners(me", "owners(me"},
		{"owners()", ")"},
		{"owners(me))", ")"},
		{"ow*", "ow*"},
		{"id;kind", ";kind"},
	} {
		m, err := parseMask(tt.mask)
		if err == nil {
			err = m.check(fileSchema)
		}
		if !strings.HasPrefix(tt.want, "{") {
			if e, ok := err.(*apiError); !ok || e.message != "Invalid field selection "+tt.want {
				t.Errorf("%q: %v", tt.mask, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.mask, err)
			continue
		}
		var v, want any
		json.Unmarshal([]byte(doc), &v)
		json.Unmarshal([]byte(tt.want), &want)
		got, _ := json.Marshal(m.apply(v))
		wanted, _ := json.Marshal(want)
		if string(got) != string(wanted) {
			t.Errorf("%q: %s, want %s", tt.mask, got, wanted)
		}
	}
}

func FuzzMask(f *testing.F) {
	for _, s := range []string{"id", "a/b/c", "a(b,c(d)),e", "*", "nextPageToken,files(id,name)", "a((", "a/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMask(s)
		if err != nil {
			return
		}
		m.check(fileSchema)
		// What parses says the same when it is written in another way.
		again, err := parseMask(m.String())
		if err != nil || again.String() != m.String() {
			t.Errorf("%q is %q is %q: %v", s, m, again, err)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"name = 'a'", "'x' in parents and trashed=false", "not (name contains 'a' or starred = true)",
		`appProperties has { key='k' and value='v' }`, `name = 'a\'b\\'`, "modifiedTime > '2012-06-04T12:00:00'", "sharedWithMe",
	} {
		f.Add(s)
	}
	d, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	c := &call{d: d, tok: &grant{User: d.opt.User}}
	it := &item{Name: "a b", Mime: mimeBlob, Parent: "x"}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := parseQuery(s)
		if err != nil {
			return
		}
		hit := q.match(c, it)
		if q.bounded && hit && len(q.parents) == 0 {
			t.Errorf("%q matches, but is bounded by no parent", s)
		}
		if s = strings.TrimSpace(s); s == "" {
			return
		}
		if neg, err := parseQuery("not (" + s + ")"); err != nil || neg.match(c, it) == hit {
			t.Errorf("the negation of %q: %v", s, err)
		}
	})
}

func FuzzBatch(f *testing.F) {
	f.Add("--B\r\nContent-Type: application/http\r\nContent-ID: <1>\r\n\r\nGET /drive/v3/files/x HTTP/1.1\r\n\r\n\r\n--B--\r\n")
	f.Add("--B\nContent-Type: application/http\n\nPATCH /x\nContent-Length: 2\n\n{}\n--B--")
	f.Fuzz(func(t *testing.T, body string) {
		parts, err := parseBatch("multipart/mixed; boundary=B", strings.NewReader(body))
		if (err == nil) != (len(parts) > 0) {
			t.Errorf("%d parts and %v", len(parts), err)
		}
		for _, p := range parts {
			if p.verb == "" || p.url == nil || p.header == nil {
				t.Errorf("part %+v", p)
			}
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-5/6", "bytes 0-5/*", "bytes */6", "bytes */*", "bytes 0--1/0", "*/*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if sp, ok := parseSpan(s); ok && (sp.from < 0 || sp.to >= 0 && sp.to < sp.from || sp.total >= 0 && sp.to >= sp.total) {
			t.Errorf("%q: %+v", s, sp)
		}
	})
}
