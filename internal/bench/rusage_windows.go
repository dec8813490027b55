package main

import "os"

// Windows tells the peak only through psapi, while the process lives; the
// numbers are taken on Linux.
func peakMemory(*os.ProcessState) int64 { return 0 }
