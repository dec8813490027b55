package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// fault lets requests go wrong: WHICH is one of
//
//	at N · from N · first N · every N · always · chance P · nth KIND N
//
// after any number of "batch" (parts of batches, not requests) and
// "only KIND[,KIND]"; EFFECT is lost, cut, torn, hang, corrupt, wrongmd5,
// slow DURATION, cutbody BYTES, or a status with a reason such as
// "403 storageQuotaExceeded". Several faults are parted by "or".
func (s *stage) fault(args []string) error {
	if len(args) == 1 && args[0] == "off" {
		s.Inject(nil)
		return nil
	}
	var all []drivetest.Fault
	for part := range strings.SplitSeq(strings.Join(args, " "), " or ") {
		f, err := faultOf(strings.Fields(part))
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	s.Inject(drivetest.Several(all...))
	return nil
}

func faultOf(words []string) (drivetest.Fault, error) {
	if len(words) < 2 {
		return nil, errors.New("a fault is WHICH EFFECT")
	}
	switch words[0] {
	case "batch":
		f, err := faultOf(words[1:])
		if err != nil {
			return nil, err
		}
		return drivetest.InBatch(f), nil
	case "only":
		f, err := faultOf(words[2:])
		if err != nil {
			return nil, err
		}
		var kinds []drivetest.Kind
		for k := range strings.SplitSeq(words[1], ",") {
			kinds = append(kinds, drivetest.Kind(k))
		}
		return drivetest.Only(f, kinds...), nil
	case "always":
		e, err := effectOf(words[1:])
		return drivetest.Always(e), err
	case "nth":
		n, err := strconv.Atoi(words[2])
		if err != nil {
			return nil, err
		}
		e, err := effectOf(words[3:])
		return drivetest.Nth(drivetest.Kind(words[1]), n, e), err
	case "chance":
		p, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			return nil, err
		}
		e, err := effectOf(words[2:])
		return drivetest.Chance(p, 1, e), err
	}
	n, err := strconv.Atoi(words[1])
	if err != nil {
		return nil, err
	}
	e, err := effectOf(words[2:])
	switch words[0] {
	case "at":
		return drivetest.At(n, e), err
	case "from":
		return drivetest.From(n, e), err
	case "first":
		return drivetest.First(n, e), err
	case "every":
		return drivetest.Every(n, e), err
	}
	return nil, fmt.Errorf("no such fault: %s", words[0])
}

func effectOf(words []string) (drivetest.Effect, error) {
	known := map[string]drivetest.Effect{
		"lost": drivetest.Lost, "cut": drivetest.Cut, "torn": drivetest.Torn, "hang": drivetest.Hang,
		"corrupt": drivetest.Corrupt, "wrongmd5": drivetest.WrongMD5,
	}
	if len(words) == 0 {
		return drivetest.Effect{}, errors.New("the effect is missing")
	}
	if e, ok := known[words[0]]; ok && len(words) == 1 {
		return e, nil
	}
	if len(words) != 2 {
		return drivetest.Effect{}, fmt.Errorf("no such effect: %s", strings.Join(words, " "))
	}
	switch words[0] {
	case "slow":
		d, err := time.ParseDuration(words[1])
		return drivetest.Slow(d), err
	case "cutbody":
		n, err := strconv.ParseInt(words[1], 10, 64)
		return drivetest.CutBody(n), err
	}
	code, err := strconv.Atoi(words[0])
	return drivetest.Refuse(code, words[1]), err
}
