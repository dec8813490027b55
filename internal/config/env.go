package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/adrg/xdg"
)

// An Env is what a configuration takes from the machine and its user.
type Env struct {
	Home       string // for "~"; "" if there is none
	ConfigHome string // the system's place for configurations
	StateHome  string // the system's place for state
	Hostname   string
	Lookup     func(name string) (value string, set bool) // environment variables
}

// System returns the Env of this process.
func System() Env {
	xdg.Reload() // the package reads its variables once, when it is loaded
	env := Env{ConfigHome: xdg.ConfigHome, StateHome: xdg.StateHome, Lookup: os.LookupEnv}
	// Without these, what needs them is refused with its line.
	env.Home, _ = os.UserHomeDir()
	env.Hostname, _ = os.Hostname()
	return env
}

// Find returns the path of the configuration: flag if it is given, else
// $ACB_CONFIG, else acb/acb.toml in the system's place for configurations. The
// current folder is not searched: a configuration says what leaves this
// machine and where it goes, and should not come along with a download.
func Find(flag string, env Env) string {
	if flag != "" {
		return flag
	}
	if path, _ := env.Lookup("ACB_CONFIG"); path != "" {
		return path
	}
	return Usual(env)
}

// Usual returns where the configuration is if nothing names another place.
func Usual(env Env) string { return filepath.Join(env.ConfigHome, "acb", "acb.toml") }

// expand replaces "~" at the beginning, $NAME and ${NAME}; "$$" is a dollar. A
// variable that is unset or empty is an error, since what is left of the path
// would be another, real one.
func (e Env) expand(s string) (string, error) {
	s, err := e.expandHome(s)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if rest, ok := strings.CutPrefix(after, "$"); ok {
			b.WriteByte('$')
			s = rest
			continue
		}
		name, rest, err := variable(after)
		if err != nil {
			return "", err
		}
		value, err := e.variable(name)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		s = rest
	}
}

// expandHome replaces a "~" that is the whole first component; in what it
// puts there, a dollar is doubled.
func (e Env) expandHome(s string) (string, error) {
	rest, ok := strings.CutPrefix(s, "~")
	if !ok {
		return s, nil
	}
	if rest != "" && !os.IsPathSeparator(rest[0]) {
		return "", fmt.Errorf(`%q: only "~/" is understood: write another user's folder in full, or "./~..." for such a name`, s)
	}
	home, err := e.home()
	return strings.ReplaceAll(home, "$", "$$") + rest, err
}

func (e Env) home() (string, error) {
	if e.Home == "" {
		return "", errors.New(`"~" means your home folder, and the system does not tell which that is: write the path in full`)
	}
	return e.Home, nil
}

// variable reads a variable's name, with or without braces, behind its dollar.
func variable(s string) (name, rest string, err error) {
	if braced, ok := strings.CutPrefix(s, "{"); ok {
		if name, rest, ok = strings.Cut(braced, "}"); !ok {
			return "", "", errors.New(`"${" is never closed: add the "}", or write "$$" for a dollar`)
		}
	} else {
		n := 0
		for n < len(s) && isNameByte(s[n]) {
			n++
		}
		name, rest = s[:n], s[n:]
	}
	if name == "" {
		return "", "", errors.New(`"$" names no variable: write "$$" for a dollar`)
	}
	return name, rest, nil
}

func isNameByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (e Env) variable(name string) (string, error) {
	value, _ := e.Lookup(name)
	if value == "" {
		return "", fmt.Errorf(`the variable $%s is not set: set it where acb runs (a schedule sets few), write the path in full, or write "$$" for a dollar`, name)
	}
	return value, nil
}

// expandPattern makes a pattern of the ignore list absolute where it begins
// with "~/" or "${NAME}/". Elsewhere a dollar is a dollar: names like
// "$RECYCLE.BIN" are what such lists are for.
func (e Env) expandPattern(p string) (string, error) {
	body, negated := strings.CutPrefix(p, "!")
	var head, rest string
	switch {
	case strings.HasPrefix(body, "~/"):
		home, err := e.home()
		if err != nil {
			return "", err
		}
		head, rest = home, body[1:]
	case strings.HasPrefix(body, "${"):
		name, after, err := variable(body[1:])
		if err != nil {
			return "", err
		}
		if head, err = e.variable(name); err != nil {
			return "", err
		}
		rest = after
	default:
		return p, nil
	}
	head = literal.Replace(filepath.ToSlash(head))
	if strings.HasPrefix(rest, "/") {
		head = strings.TrimSuffix(head, "/") // a home or a drive may end in one
	}
	if negated {
		head = "!" + head
	}
	return head + rest, nil
}

// literal takes the meaning away from what a pattern would take for its own.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
