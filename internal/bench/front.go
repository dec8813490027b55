package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// A front lets programs that only know Google's own addresses talk to a
// look-alike: a proxy for HTTPS on a loopback port that takes every CONNECT
// for the named host itself, with a certificate of its own authority, which
// lives as long as the front. It speaks HTTP/1.1, as Drive clients prefer.
type front struct {
	dir      string // holds the authority's certificate
	listener net.Listener
	inner    *http.Server
	conns    chan net.Conn
	closed   chan struct{}
	gauge    gauge // of what clients send
}

// A gaugedConn notes what it reads.
type gaugedConn struct {
	net.Conn
	gauge *gauge
}

// Read reads and notes it.
func (c gaugedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.gauge.note(n)
	return n, err
}

// startFront begins to pass requests on to the server at target. Close ends it.
func startFront(target, dir string) (*front, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	cert, authority, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("start TLS front: %w", err)
	}
	f := &front{dir: dir, conns: make(chan net.Conn), closed: make(chan struct{})}
	if err := os.WriteFile(f.certFile(), authority, 0o600); err != nil {
		return nil, fmt.Errorf("start TLS front: %w", err)
	}
	if f.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start TLS front: %w", err)
	}
	f.inner = &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
			r.Out.Header.Set("X-Forwarded-Proto", "https") // the host stays, so that answers name Google's
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		// Where the look-alike cuts a connection, so does the front, in silence.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}, ErrorLog: log.New(io.Discard, "", 0)}
	go f.inner.Serve(tls.NewListener(f, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}))
	go f.accept()
	return f, nil
}

func (f *front) certFile() string { return filepath.Join(f.dir, "authority.pem") }

// env makes a program go through the front.
func (f *front) env() []string {
	return []string{"HTTPS_PROXY=http://" + f.listener.Addr().String(), "SSL_CERT_FILE=" + f.certFile(), "NO_PROXY="}
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
			case f.conns <- gaugedConn{c, &f.gauge}:
			case <-f.closed:
				c.Close()
			}
		}()
	}
}

// Accept makes a front the listener of what is inside the tunnels.
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

// Close ends the tunnels, too. It is called by the server that it ends.
func (f *front) Close() error {
	select {
	case <-f.closed:
		return nil
	default:
	}
	close(f.closed)
	return errors.Join(f.listener.Close(), f.inner.Close())
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
