package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

// A front lets programs that only know Google's own addresses talk to a
// look-alike: a proxy for HTTPS on a loopback port that takes every CONNECT
// for the named host itself, with a certificate of its own authority, which
// lives as long as the front. It speaks HTTP/1.1, as Drive clients prefer. It
// is a listener in the look-alike's own process, because each hop more is work
// on the cores that the measured program runs on.
type front struct {
	listener net.Listener
	conns    chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// A detour is what a client must know of a front.
type detour struct {
	Proxy     string // its address
	Authority []byte // PEM
}

// listenFront begins to take connections; what comes out of the listener is
// HTTP, and the detour leads to it.
func listenFront() (net.Listener, detour, error) {
	cert, authority, err := newAuthority()
	if err != nil {
		return nil, detour{}, fmt.Errorf("start TLS front: %w", err)
	}
	f := &front{conns: make(chan net.Conn), closed: make(chan struct{})}
	if f.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, detour{}, fmt.Errorf("start TLS front: %w", err)
	}
	go f.accept()
	inside := tls.NewListener(f, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}})
	return inside, detour{f.Addr().String(), authority}, nil
}

// serveFront lets a Drive be reached through a front, until stop.
func serveFront(d *drivetest.Drive) (_ detour, stop func(), err error) {
	l, to, err := listenFront()
	if err != nil {
		return detour{}, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.Serve(ctx, l) // ends by stop
	}()
	return to, func() { cancel(); <-ended }, nil
}

func (detour) certFile(dir string) string { return filepath.Join(dir, "authority.pem") }

// write writes the authority into dir.
func (d detour) write(dir string) error {
	if err := os.WriteFile(d.certFile(dir), d.Authority, 0o600); err != nil {
		return fmt.Errorf("go through TLS front: %w", err)
	}
	return nil
}

// env makes a program go through the front, after write.
func (d detour) env(dir string) []string {
	return []string{"HTTPS_PROXY=http://" + d.Proxy, "SSL_CERT_FILE=" + d.certFile(dir), "NO_PROXY="}
}

// accept takes connections to the proxy and hands their insides to the server.
func (f *front) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			req, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil || req.Method != http.MethodConnect {
				c.Close()
				return
			}
			// The client says nothing more until it is answered, so that
			// nothing is left in the buffer.
			if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
				c.Close()
				return
			}
			select {
			case f.conns <- c:
			case <-f.closed:
				c.Close()
			}
		}()
	}
}

// Accept makes the front the listener of what is inside the tunnels.
func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Addr is where the proxy listens.
func (f *front) Addr() net.Addr { return f.listener.Addr() }

// Close takes no more connections; those that there are belong to the server.
func (f *front) Close() error {
	f.once.Do(func() { close(f.closed) })
	return f.listener.Close()
}

// googleHosts are what Drive clients talk to.
var googleHosts = []string{"www.googleapis.com", "oauth2.googleapis.com", "accounts.google.com"}

// newAuthority makes a key with a certificate for Google's hosts that vouches
// for itself. Whoever is to trust it is given its PEM form.
func newAuthority() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "acb bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(7 * 24 * time.Hour),
		DNSNames: googleHosts, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
