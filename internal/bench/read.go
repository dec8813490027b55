package main

import "io"

// readAll reads r to its end, piece by piece into buf.
func readAll(r io.Reader, buf []byte, piece func([]byte)) error {
	for {
		n, err := r.Read(buf)
		piece(buf[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
