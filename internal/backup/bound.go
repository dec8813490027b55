package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/autocloudbackup/acb/manifest"
	"github.com/autocloudbackup/acb/remote"
)

// A Binding is what a manifest belongs to beside its account and its host
// folder. What is not known is "", and equals anything.
type Binding struct {
	Machine string // a hash that tells machines apart
	Client  string // the OAuth client, or the address of the service account
}

const (
	metaMachine = "machine"
	metaClient  = "client"
)

// A MachineError says that the state folder was made on another machine, which
// may still use it.
type MachineError struct{}

// Error names the ways out.
func (*MachineError) Error() string {
	return "this state folder belongs to another machine, which may use it still; nothing was changed. " +
		"If it was moved here for good, or this system was installed anew, say so once: acb manifest adopt. " +
		"To back up both machines, give this one a state folder and a [drive] host of its own"
}

// A ClientError says that the credentials are not those that the backup was
// made with.
type ClientError struct{ Was, Is string }

// Error names the ways out.
func (e *ClientError) Error() string {
	return fmt.Sprintf("this backup was made with the OAuth client %s, and [drive] credentials are those of %s; nothing was changed. "+
		"Google shows a client only what it made itself, so the other one cannot see the backup: put the former credentials back, "+
		"or name another state folder, and begin a backup anew with another [drive] host, or have Drive copy the old one with "+
		"\"acb manifest adopt --from-other-client\"", e.Was, e.Is)
}

// checkBinding returns a *MachineError or *ClientError if the manifest
// belongs elsewhere. It asks nobody.
func (b *Backup) checkBinding() error {
	machine, err1 := b.Store.Meta(metaMachine)
	client, err2 := b.Store.Meta(metaClient)
	other := func(bound, is string) bool { return bound != "" && is != "" && bound != is }
	switch {
	case errors.Join(err1, err2) != nil:
		return errors.Join(err1, err2)
	case other(client, b.Binding.Client):
		return &ClientError{client, b.Binding.Client}
	case other(machine, b.Binding.Machine):
		return &MachineError{}
	}
	return nil
}

// bind ties the manifest to what is known of where it is now.
func (b *Backup) bind() error {
	values := map[string]string{}
	for key, value := range map[string]string{metaMachine: b.Binding.Machine, metaClient: b.Binding.Client} {
		bound, err := b.Store.Meta(key)
		if err != nil {
			return err
		}
		if value != "" && value != bound {
			values[key] = value
		}
	}
	if len(values) == 0 {
		return nil
	}
	return b.Store.SetMeta(values)
}

// An Adoption is what was found when a state folder was to be taken over.
type Adoption struct {
	Account remote.Account
	Host    string // the name of the host folder
	HostID  manifest.FileID
	Moved   bool // the state folder came from another machine
}

// Adopt takes a state folder over for this machine, after asking Drive whether
// it is the one that changed the backup last. Whoever has another copy of it is
// stopped from then on.
//
// Errors are those of Run; a *GenError says that another copy was used since.
func (b *Backup) Adopt(ctx context.Context) (Adoption, error) {
	var found Adoption
	lay, err := knownLayout(b.Store)
	switch {
	case err != nil:
		return found, err
	case lay.Host == "" || lay.Begun:
		return found, errors.New("adopt: no backup was made with this state folder yet, so there is nothing to take over")
	}
	err = b.checkBinding()
	var machine *MachineError
	if found.Moved = errors.As(err, &machine); err != nil && !found.Moved {
		return found, err
	}
	if err := b.bindAccount(ctx); err != nil {
		return found, err
	}
	if found.Account, err = b.Drive.Account(ctx); err != nil {
		return found, err
	}
	states, err := b.Drive.Check(ctx, []manifest.FileID{lay.Host})
	if err != nil {
		return found, err
	}
	s := states[lay.Host]
	found.Host, found.HostID = s.Name, lay.Host
	if s.Absent {
		return found, fmt.Errorf("adopt: the host folder %s is not on Drive any more: the next acb scan makes the backup anew, "+
			"once this state folder is on the machine that it belongs to; elsewhere, begin with an empty state folder", lay.Host)
	}
	if !b.Drive.Owns(s) {
		return found, fmt.Errorf("adopt: the host folder %q belongs to another installation (%s)", s.Name, s.Installation)
	}
	open, err := b.open()
	if err != nil {
		return found, err
	}
	if err := b.claimHost(ctx, open); err != nil {
		return found, err
	}
	return found, b.bind()
}

// claimHost puts a generation of this state folder's own on the host folder, so that
// every other copy of it is stopped. Open says whether a run is, then.
func (b *Backup) claimHost(ctx context.Context, open bool) error {
	lay, err := knownLayout(b.Store)
	if err != nil {
		return err
	}
	gen, err := b.gen()
	if err != nil {
		return err
	}
	gens, err := b.Drive.Claim(ctx, lay.Host, gen)
	return errors.Join(err, b.keepGens(gens, open))
}
