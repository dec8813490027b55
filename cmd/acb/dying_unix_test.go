//go:build (linux || darwin) && (amd64 || arm64)

package main

import (
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// diesAtWrites says that acb-dying exists here.
const diesAtWrites = true

// dieAtWrite has this process killed, as by kill -9, when SQLite is about to
// write for the n-th time, n as $ACB_TEST_DIE_AT has it: what was written
// before is on the disk, half a transaction or not, and nothing after it.
//
// It puts a function of its own in the place of those by which SQLite's VFS
// writes; the VFS has a method for that.
// Source: sqlite.org/c3ref/vfs.html, xSetSystemCall
func dieAtWrite() {
	n, err := strconv.ParseInt(os.Getenv("ACB_TEST_DIE_AT"), 10, 64)
	if err != nil {
		panic("ACB_TEST_DIE_AT: " + err.Error())
	}
	tls := libc.NewTLS()
	at := sqlite3.Xsqlite3_vfs_find(tls, 0)
	vfs := *(**sqlite3.Tsqlite3_vfs)(unsafe.Pointer(&at))
	get := *(*func(*libc.TLS, uintptr, uintptr) uintptr)(unsafe.Pointer(&struct{ uintptr }{vfs.FxGetSystemCall}))
	set := *(*func(*libc.TLS, uintptr, uintptr, uintptr) int32)(unsafe.Pointer(&struct{ uintptr }{vfs.FxSetSystemCall}))
	var writes atomic.Int64
	for _, name := range []string{"pwrite", "pwrite64"} {
		cname, err := libc.CString(name)
		if err != nil {
			panic(err)
		}
		was := get(tls, at, cname)
		if was == 0 {
			continue
		}
		write := *(*pwrite)(unsafe.Pointer(&struct{ uintptr }{was}))
		dying := pwrite(func(tls *libc.TLS, fd int32, p uintptr, size uint64, off int64) int64 {
			if writes.Add(1) > n {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return write(tls, fd, p, size, off)
		})
		inPlace = append(inPlace, dying)
		if set(tls, at, cname, *(*uintptr)(unsafe.Pointer(&dying))) != sqlite3.SQLITE_OK {
			panic("SQLite's VFS keeps its own " + name)
		}
	}
	if len(inPlace) == 0 {
		panic("SQLite's VFS writes in some other way")
	}
}

type pwrite func(tls *libc.TLS, fd int32, p uintptr, size uint64, off int64) int64

// inPlace holds what only SQLite refers to, in a way that Go does not see.
var inPlace []pwrite
