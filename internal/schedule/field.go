package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A field is one of the five of a cron line.
type field struct {
	name     string
	min, max int
	names    []string // of min, min+1, ...; nil if it has none
	example  string   // what a right one looks like, with its meaning
}

var (
	fields = []field{
		{"minute", 0, 59, nil, `"*/15" is every quarter of an hour`},
		{"hour", 0, 23, nil, `"8-18" is every hour from 8 to 18`},
		{"day of month", 1, 31, nil, `"1,15" is the 1st and the 15th`},
		{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}, `"1-6" is January to June`},
		{"day of week", 0, sunday, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, `"1-5" is Monday to Friday, 0 or 7 is Sunday`},
	}

	errEmptyItem = errors.New("nothing stands beside a comma")
)

// sunday is the second number of that day, which crontab(5) allows and
// robfig/cron refuses.
const sunday = 7

// check reads one field and returns it as robfig/cron understands it and means
// the same. robfig/cron lets slip "1,,2", "*-5" and "+5"; here they are errors.
func (f field) check(text string) (string, error) {
	var items []string
	for item := range strings.SplitSeq(strings.ToLower(text), ",") {
		got, err := f.item(item)
		if err != nil {
			return "", err
		}
		items = append(items, got)
	}
	return strings.Join(items, ","), nil
}

// item reads one part of a list: a star, a number or a range, any of them
// with a step.
func (f field) item(text string) (string, error) {
	if text == "" {
		return "", errEmptyItem
	}
	body, stepText, stepped := strings.Cut(text, "/")
	step := 1
	if stepped {
		var err error
		if step, err = f.step(stepText); err != nil {
			return "", err
		}
	}
	if body == "*" || body == "?" {
		return "*" + text[len(body):], nil
	}
	lowText, highText, ranged := strings.Cut(body, "-")
	low, err := f.number(lowText)
	if err != nil {
		return "", err
	}
	high := low
	if ranged {
		if high, err = f.number(highText); err != nil {
			return "", err
		}
		if f.max == sunday && high == 0 && low > 0 {
			high = sunday // sat-sun
		}
	} else if stepped && low != sunday {
		high = f.max // "10/15" is 10, 25, 40, 55
		if f.max == sunday {
			high = sunday - 1
		}
	}
	if low > high {
		return "", fmt.Errorf("the range runs backwards, from %d to %d", low, high)
	}
	if f.max == sunday {
		return weekdays(low, high, step), nil
	}
	return fmt.Sprintf("%d-%d/%d", low, high, step), nil
}

// weekdays spells out a range, with 7 as 0.
func weekdays(low, high, step int) string {
	var days []string
	for d := low; d <= high; d += step {
		days = append(days, strconv.Itoa(d%sunday))
	}
	return strings.Join(days, ",")
}

// number reads a number or a name.
func (f field) number(text string) (int, error) {
	if i := slices.Index(f.names, text); i >= 0 {
		return f.min + i, nil
	}
	n, err := digits(text)
	if err != nil {
		return 0, err
	}
	if n < f.min || n > f.max {
		return 0, fmt.Errorf("%s is not between %d and %d", text, f.min, f.max)
	}
	return n, nil
}

// step reads what follows the slash. A step beyond the field is legal in
// crontab(5) and never what was meant: */90 in minutes is every hour.
func (f field) step(text string) (int, error) {
	n, err := digits(text)
	if err != nil {
		return 0, err
	}
	if n < 1 || n > f.max {
		return 0, fmt.Errorf("the step %s is not between 1 and %d; longer distances are written as in \"@every 90m\"", text, f.max)
	}
	return n, nil
}

// digits reads a plain number, without sign and too short to overflow.
func digits(text string) (int, error) {
	if text == "" {
		return 0, errors.New("a number is missing")
	}
	if len(text) > 9 || strings.Trim(text, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a number from the field's range", text)
	}
	return strconv.Atoi(text)
}
