package machine

import (
	"os/exec"
	"regexp"
)

var platformUUID = regexp.MustCompile(`"IOPlatformUUID" = "([^"]+)"`)

// read returns the UUID of the hardware.
func read() string {
	out, err := exec.Command("/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice").Output()
	if m := platformUUID.FindSubmatch(out); err == nil && m != nil {
		return string(m[1])
	}
	return ""
}
