package manifest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// The address of a session shows in no form of print, alone or inside.
func TestSecret(t *testing.T) {
	in := Intent{Kind: CreateFile, Session: Session{Address: "upload_id=A1B2"}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "intent", in, "address", in.Session.Address)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "intent", in, "address", in.Session.Address)
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	log.Write(data)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X"} {
		for _, v := range []any{in, &in, []Intent{in}, in.Session, in.Session.Address} {
			fmt.Fprintf(&log, verb, v)
		}
	}
	for _, leak := range []string{"A1B2", fmt.Sprintf("%x", "A1B2"), fmt.Sprintf("%X", "A1B2")} {
		if strings.Contains(log.String(), leak) {
			t.Errorf("%q is in %s", leak, log.String())
		}
	}
	if !strings.Contains(log.String(), "[secret]") || Secret("").String() != "" {
		t.Errorf("nothing says that there is an address: %s", log.String())
	}
}

// A record whose session is cut or has more behind it is no intent.
func TestSessionDamaged(t *testing.T) {
	in := Intent{Kind: UpdateFile, Folder: Root, Name: "a", FileID: "1", HeadRevision: "h", Stat: Stat{Kind: File}, Session: Session{Address: "a", FileID: "1", Name: "a", Stat: Stat{Kind: File}, Sent: 5}}
	body := in.encode()[recordHead:]
	none := in
	none.Session = Session{}
	bare := len(none.encode()) - recordHead
	for n := range len(body) {
		if got := (&Intent{}).decode(body[:n]); got != (n == bare) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(body), got)
		}
	}
	if (&Intent{}).decode(append(body, 0)) {
		t.Error("a byte too many was taken")
	}
}
