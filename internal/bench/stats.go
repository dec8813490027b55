package main

import "slices"

// median returns the middle value, or the mean of the middle two. xs must not
// be empty.
func median(xs []float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// pairRatio is the median of what[i]/floor[i]. The two of a pair were measured
// right after each other, so that what else the machine did meets both.
func pairRatio(what, floor []float64) float64 {
	ratios := make([]float64, len(what))
	for i := range what {
		ratios[i] = what[i] / floor[i]
	}
	return median(ratios)
}
