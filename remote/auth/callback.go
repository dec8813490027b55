package auth

import (
	"context"
	"crypto/subtle"
	"fmt"
	"html"
	"net"
	"net/http"
	"time"
)

// callback is the browser's way back from Google.
type callback struct {
	code    string
	refused string // Google's error code; "" when there is a code
	outcome chan error
}

// serveCallback answers on l until stop is called, which closes l. The first
// request that knows state is handed to back, and its page waits for the
// outcome; everything else that knocks (icons, other programs, guesses) gets a
// 404 and changes nothing.
func serveCallback(l net.Listener, state string, back chan<- *callback) (stop func()) {
	ended, end := context.WithCancel(context.Background())
	srv := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			cb := &callback{code: q.Get("code"), refused: q.Get("error"), outcome: make(chan error, 1)}
			known := subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) == 1
			if r.Method != http.MethodGet || r.URL.Path != "/" || !known || cb.code == "" && cb.refused == "" {
				writePage(w, http.StatusNotFound, "Nothing is here", "This address is only for the way back from Google's sign-in page.")
				return
			}
			select {
			case back <- cb:
			case <-ended.Done():
				return
			case <-r.Context().Done():
				return
			}
			select {
			case err := <-cb.outcome:
				if err != nil {
					writePage(w, http.StatusOK, "acb is not signed in", err.Error())
					return
				}
				writePage(w, http.StatusOK, "acb is signed in; you can close this window", "Backups can start. Back to the terminal.")
			case <-ended.Done():
			}
		}),
	}
	srv.SetKeepAlivesEnabled(false) // one page, and no connection that stop would wait for
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(l) // ends by stop; a broken listener shows as a timeout
	}()
	return func() {
		// The page that says how it ended may still be on its way. Browsers
		// also open connections that they never use: they are not waited for.
		quick, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = srv.Shutdown(quick)
		end()
		_ = srv.Close()
		<-served
	}
}

// writePage answers with a page of one sentence. Its address holds the code,
// so it loads nothing and tells nobody where it was.
func writePage(w http.ResponseWriter, status int, title, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.WriteHeader(status)
	fmt.Fprintf(w, pageHTML, html.EscapeString(title), html.EscapeString(title), html.EscapeString(text))
}

const pageHTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>%s</title>
<style>
:root { color-scheme: light dark }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto; padding: 0 1rem }
h1 { font-size: 1.4rem }
</style>
<h1>%s</h1>
<p>%s</p>
</html>
`
