package main

import (
	"maps"

	"golang.org/x/sys/unix"
)

// What newer systems have in one form only. SQLite's C library uses some.
func init() {
	maps.Copy(changing, map[uintptr]call{
		unix.SYS_OPEN:      {name: "open", paths: []int{0}, opens: 1},
		unix.SYS_CREAT:     {name: "creat", paths: []int{0}},
		unix.SYS_MKDIR:     {name: "mkdir", paths: []int{0}},
		unix.SYS_MKNOD:     {name: "mknod", paths: []int{0}},
		unix.SYS_RENAME:    {name: "rename", paths: []int{0, 1}},
		unix.SYS_LINK:      {name: "link", paths: []int{0, 1}},
		unix.SYS_SYMLINK:   {name: "symlink", paths: []int{0, 1}},
		unix.SYS_UNLINK:    {name: "unlink", paths: []int{0}},
		unix.SYS_RMDIR:     {name: "rmdir", paths: []int{0}},
		unix.SYS_CHMOD:     {name: "chmod", paths: []int{0}},
		unix.SYS_CHOWN:     {name: "chown", paths: []int{0}},
		unix.SYS_LCHOWN:    {name: "lchown", paths: []int{0}},
		unix.SYS_UTIME:     {name: "utime", paths: []int{0}},
		unix.SYS_UTIMES:    {name: "utimes", paths: []int{0}},
		unix.SYS_FUTIMESAT: {name: "futimesat", paths: []int{1}},
	})
}
