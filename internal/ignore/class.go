package ignore

import "errors"

// A byteSet holds the bytes that one place of a pattern accepts.
type byteSet [256 / 64]uint64

func (s *byteSet) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }

func (s *byteSet) add(b byte) { s[b>>6] |= 1 << (b & 63) }

func (s *byteSet) addRange(lo, hi byte) {
	for b := int(lo); b <= int(hi); b++ {
		s.add(byte(b))
	}
}

func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// Why a pattern can never match anything. git keeps silent about such a line.
var (
	errOpenClass    = errors.New(`the "[" is never closed: add the "]", or write "\[" for the character itself`)
	errUnknownClass = errors.New(`no such character class: there are [:alnum:] [:alpha:] [:blank:] [:cntrl:] [:digit:] [:graph:] [:lower:] [:print:] [:punct:] [:space:] [:upper:] [:xdigit:]`)
	errTrailingEsc  = errors.New(`a single "\" at the end stands for nothing: write "\\" for the character itself`)
)

// parseClass reads a bracket expression; p begins just behind its "[". It
// returns what the expression accepts, of one component, and how much of p it
// took, its "]" included.
func parseClass(p string) (set byteSet, n int, err error) {
	i := 0
	negated := i < len(p) && (p[i] == '!' || p[i] == '^')
	if negated {
		i++
	}
	prev, hasPrev := byte(0), false // a byte that can begin a range
	for first := true; ; first = false {
		if i >= len(p) {
			return set, 0, errOpenClass
		}
		c := p[i]
		switch {
		case c == ']' && !first:
			if negated {
				set.invert()
			}
			return set, i + 1, nil
		case c == '-' && hasPrev && i+1 < len(p) && p[i+1] != ']':
			hi, took, err := classByte(p[i+1:])
			if err != nil {
				return set, 0, err
			}
			set.addRange(prev, hi)
			i += 1 + took
			hasPrev = false // "a-c-e" is a range, a dash and an e
		case c == '[' && i+1 < len(p) && p[i+1] == ':':
			name, took, err := className(p[i+2:])
			if err != nil {
				return set, 0, err
			}
			if took == 0 { // "[:" without its ":]" is two ordinary characters
				set.add('[')
				prev, hasPrev = '[', true
				i++
				continue
			}
			if !set.addNamed(name) {
				return set, 0, errUnknownClass
			}
			i += 2 + took
			hasPrev = false
		default:
			b, took, err := classByte(p[i:])
			if err != nil {
				return set, 0, err
			}
			set.add(b)
			prev, hasPrev = b, true
			i += took
		}
	}
}

// classByte reads one character of a class, which a backslash may precede.
func classByte(p string) (b byte, n int, err error) {
	if p[0] != '\\' {
		return p[0], 1, nil
	}
	if len(p) == 1 {
		return 0, 0, errOpenClass
	}
	return p[1], 2, nil
}

// className reads "alpha:]" and says how much that was; zero when no name is
// written here.
func className(p string) (name string, n int, err error) {
	for i := range len(p) {
		if p[i] == ']' {
			if i == 0 || p[i-1] != ':' {
				return "", 0, nil
			}
			return p[:i-1], i + 1, nil
		}
	}
	return "", 0, errOpenClass
}

// addNamed adds the ASCII characters of a POSIX class and reports whether
// there is a class of that name. "space" lacks vertical tab and form feed, as
// it does in git. Source: TestClassesAgainstGit asks git about every byte.
func (s *byteSet) addNamed(name string) bool {
	switch name {
	case "alnum":
		s.addNamed("alpha")
		s.addNamed("digit")
	case "alpha":
		s.addNamed("lower")
		s.addNamed("upper")
	case "blank":
		s.add(' ')
		s.add('\t')
	case "cntrl":
		s.addRange(0, 31)
		s.add(127)
	case "digit":
		s.addRange('0', '9')
	case "graph":
		s.addRange('!', '~')
	case "lower":
		s.addRange('a', 'z')
	case "print":
		s.addRange(' ', '~')
	case "punct":
		s.addRange('!', '/')
		s.addRange(':', '@')
		s.addRange('[', '`')
		s.addRange('{', '~')
	case "space":
		s.add(' ')
		s.addRange('\t', '\n')
		s.add('\r')
	case "upper":
		s.addRange('A', 'Z')
	case "xdigit":
		s.addNamed("digit")
		s.addRange('A', 'F')
		s.addRange('a', 'f')
	default:
		return false
	}
	return true
}
