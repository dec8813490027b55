package drivetest

import (
	"encoding/json"
	"hash/fnv"
	"path"
	"slices"
	"strings"
	"time"
)

// timestamp writes a time as Drive does: UTC, milliseconds, Z.
func timestamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// fileValues computes the fields of a file for one caller; nil leaves a field out.
var fileValues = map[string]func(c *call, it *item) any{
	"kind":     func(*call, *item) any { return "drive#file" },
	"id":       func(_ *call, it *item) any { return it.ID },
	"name":     func(_ *call, it *item) any { return it.Name },
	"mimeType": func(_ *call, it *item) any { return it.Mime },
	"parents": func(_ *call, it *item) any {
		if it.Parent == "" {
			return nil
		}
		return []any{it.Parent}
	},
	"createdTime":      func(_ *call, it *item) any { return timestamp(it.Created) },
	"modifiedTime":     func(_ *call, it *item) any { return timestamp(it.Modified) },
	"modifiedByMeTime": func(_ *call, it *item) any { return timestamp(it.Modified) },
	"modifiedByMe":     func(*call, *item) any { return true },
	"viewedByMeTime": func(_ *call, it *item) any {
		if it.Viewed == 0 {
			return nil
		}
		return timestamp(it.Viewed)
	},
	"viewedByMe":        func(_ *call, it *item) any { return it.Viewed != 0 },
	"version":           func(_ *call, it *item) any { return i64(it.Version) },
	"trashed":           func(_ *call, it *item) any { return it.inTrash() },
	"explicitlyTrashed": func(_ *call, it *item) any { return it.Trashed },
	"trashedTime": func(_ *call, it *item) any {
		if it.Drive == "" || !it.Trashed {
			return nil
		}
		return timestamp(it.TrashAt)
	},
	"starred":       func(_ *call, it *item) any { return it.Starred },
	"properties":    func(_ *call, it *item) any { return nonEmpty(it.Props) },
	"appProperties": func(c *call, it *item) any { return nonEmpty(it.AppProps[c.tok.Client]) },
	"driveId":       func(_ *call, it *item) any { return text(it.Drive) },
	"teamDriveId":   func(_ *call, it *item) any { return text(it.Drive) },
	"ownedByMe":     func(c *call, it *item) any { return it.Drive == "" && it.Owner == c.tok.User },
	"isAppAuthorized": func(c *call, it *item) any {
		return it.Client == c.tok.Client || slices.Contains(it.Granted, c.tok.Client)
	},
	"shared": func(_ *call, it *item) any { return it.ReadOnly || it.Drive != "" },
	"spaces": func(_ *call, it *item) any {
		if it.Space != "" {
			return []any{it.Space}
		}
		return []any{"drive"}
	},
	"owners": func(c *call, it *item) any {
		if it.Drive != "" {
			return nil
		}
		return []any{userValue(c, it.Owner)}
	},
	"lastModifyingUser": func(c *call, it *item) any { return userValue(c, it.Owner) },
	"permissionIds": func(_ *call, it *item) any {
		if it.Drive != "" {
			return nil
		}
		return []any{permissionID(it.Owner)}
	},
	"capabilities":                 func(_ *call, it *item) any { return capabilities(it) },
	"quotaBytesUsed":               func(_ *call, it *item) any { return i64(it.used()) },
	"writersCanShare":              func(_ *call, it *item) any { return true },
	"viewersCanCopyContent":        func(_ *call, it *item) any { return true },
	"copyRequiresWriterPermission": func(_ *call, it *item) any { return false },
	"inheritedPermissionsDisabled": func(_ *call, it *item) any { return false },
	"hasThumbnail":                 func(_ *call, it *item) any { return false },
	"thumbnailVersion":             func(_ *call, it *item) any { return "0" },
	"webViewLink":                  func(_ *call, it *item) any { return webLink(it) },
	"webContentLink": func(_ *call, it *item) any {
		if it.head() == nil {
			return nil
		}
		return "https://drive.google.com/uc?id=" + it.ID + "&export=download"
	},
	"iconLink": func(_ *call, it *item) any {
		return "https://drive-thirdparty.googleusercontent.com/16/type/" + it.Mime
	},
	"shortcutDetails": func(_ *call, it *item) any {
		if it.Target == "" {
			return nil
		}
		return map[string]any{"targetId": it.Target, "targetMimeType": it.TargetMT}
	},
	"size":           headValue(func(_ *item, r *revision) any { return i64(r.Size) }),
	"md5Checksum":    headValue(func(_ *item, r *revision) any { return r.MD5 }),
	"sha1Checksum":   headValue(func(_ *item, r *revision) any { return text(r.SHA1) }),
	"sha256Checksum": headValue(func(_ *item, r *revision) any { return text(r.SHA256) }),
	"headRevisionId": headValue(func(_ *item, r *revision) any { return r.ID }),
	"originalFilename": headValue(func(it *item, r *revision) any {
		if _, sent := it.Extra["originalFilename"]; sent {
			return nil // rendered from Extra
		}
		return r.Name
	}),
	"fileExtension":     headValue(func(it *item, _ *revision) any { return strings.TrimPrefix(path.Ext(it.Name), ".") }),
	"fullFileExtension": headValue(func(it *item, _ *revision) any { return strings.TrimPrefix(path.Ext(it.Name), ".") }),
}

func headValue(f func(*item, *revision) any) func(*call, *item) any {
	return func(_ *call, it *item) any {
		if r := it.head(); r != nil {
			return f(it, r)
		}
		return nil
	}
}

// file renders what m selects of an item. The lock must be held.
func (c *call) file(it *item, m mask) map[string]any {
	out := make(map[string]any, len(m))
	add := func(name string, v any) {
		if v == nil {
			return
		}
		if sub, ok := m.want(name); ok {
			out[name] = sub.apply(v)
		}
	}
	if _, all := m["*"]; all {
		for name, f := range fileValues {
			add(name, f(c, it))
		}
	} else {
		for name := range m {
			if f := fileValues[name]; f != nil {
				add(name, f(c, it))
			}
		}
	}
	for name, raw := range it.Extra {
		if _, ok := m.want(name); !ok {
			continue
		}
		var v any
		if json.Unmarshal(raw, &v) == nil { // it was valid when it came
			add(name, v)
		}
	}
	if c.eff.op == opWrongMD5 && out["md5Checksum"] != nil {
		out["md5Checksum"] = "00000000000000000000000000000000"
	}
	return out
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nonEmpty(m map[string]string) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

func webLink(it *item) string {
	if it.isFolder() {
		return "https://drive.google.com/drive/folders/" + it.ID
	}
	return "https://drive.google.com/file/d/" + it.ID + "/view?usp=drivesdk"
}

// permissionID is a stable number for an account.
func permissionID(user string) string {
	h := fnv.New64a()
	h.Write([]byte(user))
	return i64(int64(h.Sum64()>>1 | 1<<60))
}

func userValue(c *call, user string) any {
	name, _, _ := strings.Cut(user, "@")
	return map[string]any{
		"kind": "drive#user", "displayName": name, "me": user == c.tok.User, "permissionId": permissionID(user), "emailAddress": user,
	}
}

// capabilityNames are the flags of File.capabilities.
var capabilityNames = fileSchema["capabilities"]

// capabilities says what the owner may do with an item.
func capabilities(it *item) any {
	out := make(map[string]any, len(capabilityNames))
	folder, shared := it.isFolder(), it.Drive != ""
	for name := range capabilityNames {
		yes := !it.ReadOnly
		switch name {
		case "canComment", "canDownload", "canReadRevisions", "canCopy":
			yes = !folder
		case "canListChildren":
			yes = folder
		case "canAddChildren", "canRemoveChildren", "canMoveChildrenWithinDrive":
			yes = folder && !it.ReadOnly
		case "canTrash", "canDelete", "canRename", "canMoveItemWithinDrive":
			yes = !it.Root && !it.ReadOnly
		case "canUntrash":
			yes = !it.Root && !it.ReadOnly
		case "canAcceptOwnership", "canAddMyDriveParent", "canRemoveMyDriveParent", "canAccessViaGenAi", "canStartApproval",
			"canRemoveContentRestriction", "canAddFolderFromAnotherDrive", "canModifyOwnerContentRestriction":
			yes = false
		case "canReadDrive", "canTrashChildren", "canDeleteChildren", "canMoveChildrenOutOfDrive", "canMoveItemOutOfDrive":
			yes = shared && (folder || !strings.Contains(name, "Children")) && !it.ReadOnly
		default:
			if strings.Contains(name, "TeamDrive") {
				yes = shared && !it.ReadOnly
			}
		}
		out[name] = yes
	}
	return out
}
