//go:build amd64 || arm64

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// changing are the system calls that change what a file system holds, and
// which of their arguments are names or, as small numbers, open files. Those
// that only make it durable are there to be seen: a kill takes nothing back.
var changing = map[uintptr]call{
	unix.SYS_OPENAT:          {name: "openat", paths: []int{1}, opens: 2},
	unix.SYS_MKDIRAT:         {name: "mkdirat", paths: []int{1}},
	unix.SYS_MKNODAT:         {name: "mknodat", paths: []int{1}},
	unix.SYS_RENAMEAT:        {name: "renameat", paths: []int{1, 3}},
	unix.SYS_RENAMEAT2:       {name: "renameat2", paths: []int{1, 3}},
	unix.SYS_LINKAT:          {name: "linkat", paths: []int{1, 3}},
	unix.SYS_SYMLINKAT:       {name: "symlinkat", paths: []int{0, 2}},
	unix.SYS_UNLINKAT:        {name: "unlinkat", paths: []int{1}},
	unix.SYS_FCHMODAT:        {name: "fchmodat", paths: []int{1}},
	unix.SYS_FCHMODAT2:       {name: "fchmodat2", paths: []int{1}},
	unix.SYS_FCHOWNAT:        {name: "fchownat", paths: []int{1}},
	unix.SYS_UTIMENSAT:       {name: "utimensat", paths: []int{1}},
	unix.SYS_TRUNCATE:        {name: "truncate", paths: []int{0}},
	unix.SYS_WRITE:           {name: "write", files: []int{0}},
	unix.SYS_WRITEV:          {name: "writev", files: []int{0}},
	unix.SYS_PWRITE64:        {name: "pwrite64", files: []int{0}},
	unix.SYS_PWRITEV:         {name: "pwritev", files: []int{0}},
	unix.SYS_PWRITEV2:        {name: "pwritev2", files: []int{0}},
	unix.SYS_COPY_FILE_RANGE: {name: "copy_file_range", files: []int{2}},
	unix.SYS_SENDFILE:        {name: "sendfile", files: []int{0}},
	unix.SYS_SPLICE:          {name: "splice", files: []int{2}},
	unix.SYS_FTRUNCATE:       {name: "ftruncate", files: []int{0}},
	unix.SYS_FALLOCATE:       {name: "fallocate", files: []int{0}},
	unix.SYS_FCHMOD:          {name: "fchmod", files: []int{0}},
	unix.SYS_FCHOWN:          {name: "fchown", files: []int{0}},
	unix.SYS_SETXATTR:        {name: "setxattr", paths: []int{0}},
	unix.SYS_LSETXATTR:       {name: "lsetxattr", paths: []int{0}},
	unix.SYS_FSETXATTR:       {name: "fsetxattr", files: []int{0}},
	unix.SYS_REMOVEXATTR:     {name: "removexattr", paths: []int{0}},
	unix.SYS_LREMOVEXATTR:    {name: "lremovexattr", paths: []int{0}},
	unix.SYS_FREMOVEXATTR:    {name: "fremovexattr", files: []int{0}},
	unix.SYS_FSYNC:           {name: "fsync", files: []int{0}, syncs: true},
	unix.SYS_FDATASYNC:       {name: "fdatasync", files: []int{0}, syncs: true},
	unix.SYS_SYNCFS:          {name: "syncfs", files: []int{0}, syncs: true},
}

type call struct {
	name         string
	paths, files []int
	opens        int  // the argument with what an open is for, 0 for other calls
	syncs        bool // it changes nothing
}

// beTraced has the kernel stop this process for its tracer at each of the
// changing calls, whichever thread makes it.
// Source: seccomp(2), SECCOMP_RET_TRACE
func beTraced() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	load := func(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
	filter := []unix.SockFilter{load(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0)} // the call's number
	left := len(changing)
	for nr := range changing {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(left), K: uint32(nr)})
		left--
	}
	filter = append(filter, load(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW), load(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_TRACE))
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		panic(errno)
	}
}

// An ending is how a traced process came to its end.
type ending struct {
	at   string // the call at which it was killed; "" if it ended by itself
	code int    // with which it did
	out  string
	seen []string // the calls, in their order
}

// killedAtChange runs a program that calls beTraced, and kills it, as by kill
// -9, at the n-th change that it makes to a file system: right before it if n
// is even, else right behind it. If n is below 0 it is let live.
func killedAtChange(t *testing.T, attr *os.ProcAttr, argv []string, n int) ending {
	t.Helper()
	runtime.LockOSThread() // who traces is a thread
	defer runtime.UnlockOSThread()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer nothing.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	attr.Files = []*os.File{nothing, w, w}
	// A group of its own, so that nothing but its threads is waited for.
	attr.Sys = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	p, err := os.StartProcess(self, argv, attr)
	w.Close()
	if errors.Is(err, unix.EPERM) {
		t.Skipf("SKIPPED: no process may be traced here, so none is killed between its writes: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		out, _ := io.ReadAll(r)
		said <- string(out)
	}()
	tr := &tracer{pid: p.Pid, threads: map[int]bool{p.Pid: true}, n: n, behind: n%2 == 1}
	p.Release()
	if err := tr.follow(); err != nil {
		unix.Kill(tr.pid, unix.SIGKILL)
		t.Fatalf("trace %v: %v", argv, err)
	}
	return ending{tr.at, tr.code, <-said, tr.seen}
}

type tracer struct {
	pid     int
	threads map[int]bool // that were seen
	n       int          // changes left to let pass, below 0 it is never to die
	seen    []string
	behind  bool
	pieces  int // of contents, written so far
	fatal   int // the thread in whose call the process dies; 0: not yet
	at      string
	code    int
}

// follow lets the process run from stop to stop until it is gone.
func (tr *tracer) follow() error {
	var ws unix.WaitStatus
	if _, err := unix.Wait4(tr.pid, &ws, unix.WALL, nil); err != nil { // its exec
		return err
	}
	err := unix.PtraceSetOptions(tr.pid, unix.PTRACE_O_TRACESECCOMP|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_EXITKILL)
	if err != nil {
		return err
	}
	for tid := tr.pid; ; {
		if err := tr.goOn(tid, ws); err != nil && !errors.Is(err, unix.ESRCH) { // killed meanwhile
			return err
		}
		for {
			if tid, err = unix.Wait4(-tr.pid, &ws, unix.WALL, nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if err != nil {
			return err
		}
		if tid == tr.pid && (ws.Exited() || ws.Signaled()) {
			tr.code = ws.ExitStatus()
			if ws.Signaled() != (tr.at != "") {
				return fmt.Errorf("ended with %#x", ws)
			}
			return nil
		}
	}
}

// goOn lets a thread go on from where it has stopped.
func (tr *tracer) goOn(tid int, ws unix.WaitStatus) error {
	if !ws.Stopped() {
		return nil
	}
	first := !tr.threads[tid]
	tr.threads[tid] = true
	sig := ws.StopSignal()
	switch {
	case sig == unix.SIGTRAP|0x80: // behind its call
		if tid == tr.fatal {
			return unix.Kill(tr.pid, unix.SIGKILL)
		}
		sig = 0
	case sig == unix.SIGTRAP && ws.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
		did, err := change(tid)
		if err != nil {
			return err
		}
		sig = 0
		if did.what == "" || tr.at != "" {
			break
		}
		tr.seen = append(tr.seen, did.what)
		if did.piece {
			tr.pieces++
		}
		if did.syncs || did.piece && tr.pieces%ofPieces != 0 {
			break
		}
		if tr.n--; tr.n != -1 {
			break
		}
		tr.at, tr.fatal = "before "+did.what, tid
		if tr.behind {
			tr.at = "behind " + did.what
			return unix.PtraceSyscall(tid, 0)
		}
		return unix.Kill(tr.pid, unix.SIGKILL)
	case sig == unix.SIGTRAP, sig == unix.SIGSTOP && first: // a thread begins
		sig = 0
	}
	if tid == tr.fatal { // a signal on its way to the end of its call
		return unix.PtraceSyscall(tid, int(sig))
	}
	return unix.PtraceCont(tid, int(sig))
}

// callInfo is what the kernel tells of a call at which a thread has stopped.
// Source: ptrace(2), PTRACE_GET_SYSCALL_INFO
type callInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	nr   uint64
	args [6]uint64
	data uint32
}

// A deed is a call at which a thread has stopped.
type deed struct {
	what  string // "" if it is about no file
	syncs bool
	piece bool // it writes more than a page of the manifest
}

// ofPieces is of how many pieces of contents one counts: each is like the last.
const ofPieces = 16

// change describes the call at which a thread has stopped.
func change(tid int) (deed, error) {
	var info callInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return deed{}, errno
	}
	c, ok := changing[uintptr(info.nr)]
	if !ok || c.opens > 0 && info.args[c.opens]&(unix.O_CREAT|unix.O_TRUNC) == 0 {
		return deed{}, nil
	}
	words := []string{c.name}
	for _, i := range c.files {
		file, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, int32(info.args[i])))
		if err != nil || !filepath.IsAbs(file) || strings.HasPrefix(file, "/dev/") {
			return deed{}, nil // a pipe, a socket, or closed
		}
		words = append(words, filepath.Base(file))
	}
	for _, i := range c.paths {
		words = append(words, peek(tid, info.args[i]))
	}
	return deed{strings.Join(words, " "), c.syncs, len(c.files) > 0 && !c.syncs && info.args[2] > 16<<10}, nil
}

// peek reads the end of a name in the memory of a process.
func peek(tid int, at uint64) string {
	if at == 0 {
		return "."
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", tid))
	if err != nil {
		return err.Error()
	}
	defer mem.Close()
	name := make([]byte, unix.PathMax)
	n, _ := mem.ReadAt(name, int64(at))
	name = name[:n]
	if end := slices.Index(name, 0); end >= 0 {
		name = name[:end]
	}
	return filepath.Base(string(name))
}
