package remote

import (
	"fmt"
	"strconv"
)

// json returns the body. It is written by hand because a first run sends one
// with every file: encoding/json spends five times as long on it.
func (m *meta) json() []byte {
	w := objectWriter{b: make([]byte, 0, 512)}
	w.open()
	w.text("id", m.ID)
	w.text("name", m.Name)
	w.text("mimeType", m.MimeType)
	if m.Parent != "" {
		w.key("parents")
		w.b = append(appendQuoted(append(w.b, '['), m.Parent), ']')
	}
	w.text("modifiedTime", m.ModifiedTime)
	w.flag("trashed", m.Trashed)
	w.flag("keepForever", m.KeepForever)
	if m.AppProperties != (props{}) {
		w.key("appProperties")
		m.AppProperties.write(&w)
	}
	w.close()
	return w.b
}

func (p *props) write(w *objectWriter) {
	w.open()
	w.text(propKind, p.kind)
	w.text(propInstall, p.install)
	w.text(propTime, p.time)
	w.text(propMode, p.mode)
	w.text(propHash, p.hash)
	if p.noHash {
		w.null(propHash)
	}
	if p.gens != nil {
		p.gens.write(w)
	}
	w.close()
}

func (g *gens) write(w *objectWriter) {
	if g.set != 0 {
		w.text(genProp(g.set), "1")
	}
	for _, gen := range g.drop {
		if gen != g.set {
			w.null(genProp(gen))
		}
	}
}

// An objectWriter writes JSON objects.
type objectWriter struct {
	b    []byte
	more bool // the object has a member already
}

func (w *objectWriter) open()  { w.b, w.more = append(w.b, '{'), false }
func (w *objectWriter) close() { w.b, w.more = append(w.b, '}'), true }

// key begins a member. Keys are ours and need no escaping.
func (w *objectWriter) key(name string) {
	if w.more {
		w.b = append(w.b, ',')
	}
	w.more = true
	w.b = append(append(append(w.b, '"'), name...), '"', ':')
}

// text writes a member that is a string, unless it is empty.
func (w *objectWriter) text(name, value string) {
	if value != "" {
		w.key(name)
		w.b = appendQuoted(w.b, value)
	}
}

// null writes a member that takes away what is there.
func (w *objectWriter) null(name string) {
	w.key(name)
	w.b = append(w.b, "null"...)
}

// flag writes a member that is true or false, unless it is neither.
func (w *objectWriter) flag(name string, value *bool) {
	if value != nil {
		w.key(name)
		w.b = strconv.AppendBool(w.b, *value)
	}
}

// appendQuoted appends s, which is valid UTF-8, as a JSON string.
// Source: RFC 8259, section 7: only these must be escaped.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
