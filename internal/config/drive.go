package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// setName reads the name of one folder on Drive.
func (l *loader) setName(v value, to *string) {
	s, ok := l.text(v)
	if !ok {
		return
	}
	if err := checkName(s); err != nil {
		l.fail(v, "%w", err)
		return
	}
	*to = s
}

// checkName refuses names that could not be restored as one folder, or that
// nobody could tell from another by looking.
func checkName(s string) error {
	switch {
	case strings.ContainsAny(s, `/\`):
		return fmt.Errorf("%q is a path: write the name of one folder, without slashes", s)
	case s == "." || s == "..":
		return fmt.Errorf("%q is no name: write another", s)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("%q has space at an end: take it out", s)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%q holds characters that cannot be seen: take them out", s)
	case len(s) > 255:
		return fmt.Errorf("the name is %d bytes long: 255 are the most that file systems take", len(s))
	}
	return nil
}

func (l *loader) setSharedDrive(v value) {
	s, ok := l.text(v)
	if !ok {
		return
	}
	for _, c := range []byte(s) {
		if c != '-' && !isNameByte(c) {
			l.fail(v, "%q is no id: write what stands behind /drive/folders/ in the browser when the shared drive is open", s)
			return
		}
	}
	l.config.Drive.SharedDrive = s
}

func (l *loader) setEndpoint(v value) {
	s, ok := l.text(v)
	if !ok {
		return
	}
	if dir, embedded := strings.CutPrefix(s, "embedded:"); embedded {
		if dir == "" {
			l.fail(v, `"embedded:" lacks the folder for the built-in server: write "embedded:DIR"`)
			return
		}
		e := Endpoint{}
		l.setPath(value{v: dir, key: v.key, path: v.path}, &e.Embedded)
		l.config.Drive.Endpoint = e
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		l.fail(v, `%q is no server: write "https://HOST", or "embedded:DIR"`, s)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(s, "?#"):
		// Drive's client takes upload addresses from the root of the host.
		l.fail(v, "write scheme, host and port and nothing else, such as %q", u.Scheme+"://"+u.Host)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		l.fail(v, "without encryption, tokens and files could be read on the way to %s: write https://; http:// is for this machine itself (127.0.0.1)", u.Host)
	default:
		l.config.Drive.Endpoint = Endpoint{URL: u.Scheme + "://" + u.Host}
	}
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
