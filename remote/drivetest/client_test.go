package drivetest_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/autocloudbackup/acb/remote/drivetest"
)

func service(t *testing.T, d *drivetest.Server) *drive.Service {
	t.Helper()
	svc, err := drive.NewService(context.Background(), option.WithHTTPClient(d.Client()), option.WithEndpoint(d.URL+"/drive/v3/"))
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

// The generated Go client, which leans on details of the wire that we did not
// choose, does its whole round here.
func TestGoClient(t *testing.T) {
	d := drivetest.Start()
	defer d.Close()
	svc := service(t, d)
	svc.UserAgent = "test gzip"

	ids, err := svc.Files.GenerateIds().Count(3).Do()
	if err != nil || len(ids.Ids) != 3 {
		t.Fatalf("generateIds: %v %v", ids, err)
	}
	folder, err := svc.Files.Create(&drive.File{
		Id: ids.Ids[0], Name: "docs", MimeType: "application/vnd.google-apps.folder",
		AppProperties: map[string]string{"acb": "d:42"},
	}).Fields("id,version,appProperties,parents").Do()
	if err != nil || folder.Id != ids.Ids[0] || folder.Version < 1 || folder.AppProperties["acb"] != "d:42" || len(folder.Parents) != 1 {
		t.Fatalf("create folder: %+v %v", folder, err)
	}

	small := []byte("hello")
	f, err := svc.Files.Create(&drive.File{Name: "a.txt", Parents: []string{folder.Id}, ModifiedTime: "2026-01-02T03:04:05.678Z"}).
		Media(bytes.NewReader(small), googleapi.ContentType("text/plain")).Fields("id,size,md5Checksum,modifiedTime,mimeType,headRevisionId").Do()
	if err != nil || f.Size != 5 || f.Md5Checksum != sumOf(small) || f.ModifiedTime != "2026-01-02T03:04:05.678Z" || f.MimeType != "text/plain" {
		t.Fatalf("multipart: %+v %v", f, err)
	}

	for _, size := range []int{600 << 10, 512 << 10, 256 << 10} { // also ends on a chunk border: bytes */N
		big := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		g, err := svc.Files.Create(&drive.File{Name: fmt.Sprint("big", size)}).
			Media(io.MultiReader(bytes.NewReader(big)), googleapi.ChunkSize(256<<10)).Fields("id,size,md5Checksum").Do()
		if err != nil || g.Size != int64(size) || g.Md5Checksum != sumOf(big) {
			t.Fatalf("resumable %d: %+v %v", size, g, err)
		}
		resp, err := svc.Files.Get(g.Id).Download()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, big) {
			t.Fatalf("download %d: %d bytes, %v", size, len(got), err)
		}
	}
	if n := d.Stats().Requests[drivetest.UploadChunk]; n != 3+2+1 {
		t.Errorf("%d chunks", n)
	}

	f2, err := svc.Files.Update(f.Id, nil).AddParents("root").RemoveParents(folder.Id).Fields("id,parents,version").Do()
	if err != nil || len(f2.Parents) != 1 || f2.Parents[0] == folder.Id {
		t.Fatalf("move: %+v %v", f2, err)
	}
	if _, err := svc.Files.Update(folder.Id, &drive.File{Trashed: true}).Fields("id,trashed").Do(); err != nil {
		t.Fatal(err)
	}
	list, err := svc.Files.List().Q("'root' in parents and trashed=false").PageSize(2).Fields("nextPageToken,incompleteSearch,files(id,name,size)").Do()
	if err != nil || len(list.Files) != 2 || list.NextPageToken == "" {
		t.Fatalf("list: %+v %v", list, err)
	}
	rest, err := svc.Files.List().Q("'root' in parents and trashed=false").PageSize(2).PageToken(list.NextPageToken).Do()
	if err != nil || len(rest.Files) != 2 || rest.NextPageToken != "" {
		t.Fatalf("list: %+v %v", rest, err)
	}
	if about, err := svc.About.Get().Fields("user,storageQuota,maxUploadSize").Do(); err != nil || about.User.EmailAddress != "ana@example.com" {
		t.Fatalf("about: %+v %v", about, err)
	}
	if err := svc.Files.Delete(f.Id).Do(); err != nil {
		t.Fatal(err)
	}
	_, err = svc.Files.Get(f.Id).Do()
	if e, ok := err.(*googleapi.Error); !ok || e.Code != 404 || e.Errors[0].Reason != "notFound" {
		t.Fatalf("get of a deleted file: %v", err)
	}
	for _, r := range d.Log() {
		if strings.Contains(r.Path, "ya29") || r.Kind == drivetest.Unknown {
			t.Errorf("log: %+v", r)
		}
	}
	t.Log(d.Stats())
}

func sumOf(p []byte) string {
	s := md5.Sum(p)
	return hex.EncodeToString(s[:])
}
