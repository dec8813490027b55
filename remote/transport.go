package remote

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// writeBuffer is what a connection collects before it writes, bytes.
const writeBuffer = 64 << 10

// NewTransport returns the transport that belongs below the caller's
// authentication: HTTP/1.1 only, a connection for each transfer. HTTP/2 puts
// all uploads on one connection, which was measured at half the speed and
// with stream errors. Source: rclone's Drive backend, which turns it off too.
func NewTransport(transfers int) *http.Transport {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		Protocols:             p,
		MaxIdleConnsPerHost:   transfers + 2, // and one for batches, one for tokens
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   15 * time.Second,
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       writeBuffer,
		ReadBufferSize:        16 << 10,
	}
}
