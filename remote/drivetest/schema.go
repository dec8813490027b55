package drivetest

// The fields of Drive's resources, as masks in which (*) stands for any name.
// Source: the discovery document drive:v3, revision 20261023.
const (
	userFields = "displayName,emailAddress,kind,me,permissionId,photoLink"

	fileFields = "appProperties(*),capabilities(canAcceptOwnership,canAccessViaGenAi,canAddChildren," +
		"canAddFolderFromAnotherDrive,canAddMyDriveParent,canChangeCopyRequiresWriterPermission," +
		"canChangeItemDownloadRestriction,canChangeSecurityUpdateEnabled,canChangeViewersCanCopyContent," +
		"canComment,canCopy,canDelete,canDeleteChildren,canDisableInheritedPermissions,canDownload,canEdit," +
		"canEnableInheritedPermissions,canListChildren,canModifyContent,canModifyContentRestriction," +
		"canModifyEditorContentRestriction,canModifyLabels,canModifyOwnerContentRestriction," +
		"canMoveChildrenOutOfDrive,canMoveChildrenOutOfTeamDrive,canMoveChildrenWithinDrive," +
		"canMoveChildrenWithinTeamDrive,canMoveItemIntoTeamDrive,canMoveItemOutOfDrive,canMoveItemOutOfTeamDrive," +
		"canMoveItemWithinDrive,canMoveItemWithinTeamDrive,canMoveTeamDriveItem,canReadDrive,canReadLabels," +
		"canReadRevisions,canReadTeamDrive,canRemoveChildren,canRemoveContentRestriction,canRemoveMyDriveParent," +
		"canRename,canShare,canStartApproval,canTrash,canTrashChildren,canUntrash)," +
		"clientEncryptionDetails(decryptionMetadata(aes256GcmChunkSize,encryptionResourceKeyHash,jwt,kaclsId," +
		"kaclsName,keyFormat,wrappedKey),encryptionState),contentHints(indexableText,thumbnail(image,mimeType))," +
		"contentRestrictions(ownerRestricted,readOnly,reason,restrictingUser(" + userFields + "),restrictionTime," +
		"systemRestricted,type),copyRequiresWriterPermission,createdTime,description," +
		"downloadRestrictions(effectiveDownloadRestrictionWithContext(restrictedForReaders,restrictedForWriters)," +
		"itemDownloadRestriction(restrictedForReaders,restrictedForWriters)),driveId,explicitlyTrashed," +
		"exportLinks(*),fileExtension,folderColorRgb,fullFileExtension,hasAugmentedPermissions,hasThumbnail," +
		"headRevisionId,iconLink,id,imageMediaMetadata(aperture,cameraMake,cameraModel,colorSpace,exposureBias," +
		"exposureMode,exposureTime,flashUsed,focalLength,height,isoSpeed,lens,location(altitude,latitude," +
		"longitude),maxApertureValue,meteringMode,rotation,sensor,subjectDistance,time,whiteBalance,width)," +
		"inheritedPermissionsDisabled,isAppAuthorized,kind,labelInfo(labels(fields(*),id,kind,revisionId))," +
		"lastModifyingUser(" + userFields + "),linkShareMetadata(securityUpdateEligible,securityUpdateEnabled)," +
		"md5Checksum,mimeType,modifiedByMe,modifiedByMeTime,modifiedTime,name,originalFilename,ownedByMe," +
		"owners(" + userFields + "),parents,permissionIds,permissions(allowFileDiscovery,deleted,displayName," +
		"domain,emailAddress,expirationTime,id,inheritedPermissionsDisabled,kind,pendingOwner," +
		"permissionDetails(inherited,inheritedFrom,permissionType,role),photoLink,role," +
		"teamDrivePermissionDetails(inherited,inheritedFrom,role,teamDrivePermissionType),type,view)," +
		"properties(*),quotaBytesUsed,resourceKey,sha1Checksum,sha256Checksum,shared,sharedWithMeTime," +
		"sharingUser(" + userFields + "),shortcutDetails(targetId,targetMimeType,targetResourceKey),size,spaces," +
		"starred,teamDriveId,thumbnailLink,thumbnailVersion,trashed,trashedTime,trashingUser(" + userFields + ")," +
		"version,videoMediaMetadata(durationMillis,height,width),viewedByMe,viewedByMeTime,viewersCanCopyContent," +
		"webContentLink,webViewLink,writersCanShare"

	revisionFields = "exportLinks(*),id,keepForever,kind,lastModifyingUser(" + userFields + "),md5Checksum,mimeType," +
		"modifiedTime,originalFilename,publishAuto,published,publishedLink,publishedOutsideDomain,size"

	driveFields = "backgroundImageFile(id,width,xCoordinate,yCoordinate),backgroundImageLink,capabilities(canAddChildren," +
		"canChangeCopyRequiresWriterPermissionRestriction,canChangeDomainUsersOnlyRestriction," +
		"canChangeDownloadRestriction,canChangeDriveBackground,canChangeDriveMembersOnlyRestriction," +
		"canChangeSharingFoldersRequiresOrganizerPermissionRestriction,canComment,canCopy,canDeleteChildren," +
		"canDeleteDrive,canDownload,canEdit,canListChildren,canManageMembers,canReadRevisions,canRename," +
		"canRenameDrive,canResetDriveRestrictions,canShare,canTrashChildren),colorRgb,createdTime,hidden,id,kind," +
		"name,orgUnitId,restrictions(adminManagedRestrictions,copyRequiresWriterPermission,domainUsersOnly," +
		"downloadRestriction(restrictedForReaders,restrictedForWriters),driveMembersOnly," +
		"sharingFoldersRequiresOrganizerPermission),themeId"

	changeFields = "changeType,drive(" + driveFields + "),driveId,file(" + fileFields + "),fileId,kind,removed," +
		"teamDrive(" + driveFields + "),teamDriveId,time,type"

	aboutFields = "appInstalled,canCreateDrives,canCreateTeamDrives,driveThemes(backgroundImageLink,colorRgb,id)," +
		"exportFormats(*),folderColorPalette,importFormats(*),kind,maxImportSizes(*),maxUploadSize," +
		"storageQuota(limit,usage,usageInDrive,usageInDriveTrash),teamDriveThemes(backgroundImageLink,colorRgb," +
		"id),user(" + userFields + ")"
)

var (
	fileSchema       = schema(fileFields)
	fileListSchema   = schema("kind,incompleteSearch,nextPageToken,files(" + fileFields + ")")
	generatedSchema  = schema("kind,space,ids")
	aboutSchema      = schema(aboutFields)
	revisionSchema   = schema(revisionFields)
	revListSchema    = schema("kind,nextPageToken,revisions(" + revisionFields + ")")
	changeListSchema = schema("kind,nextPageToken,newStartPageToken,changes(" + changeFields + ")")
	startPageSchema  = schema("kind,startPageToken")
	driveSchema      = schema(driveFields)
	driveListSchema  = schema("kind,nextPageToken,drives(" + driveFields + ")")
)

// What comes without a fields parameter. Source: the guide, and recordings.
var (
	fileDefault       = schema("kind,id,name,mimeType,resourceKey")
	fileListDefault   = schema("kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType,resourceKey)")
	revisionDefault   = schema("kind,id,mimeType,modifiedTime")
	revListDefault    = schema("kind,nextPageToken,revisions(kind,id,mimeType,modifiedTime)")
	changeListDefault = schema("kind,nextPageToken,newStartPageToken," +
		"changes(kind,changeType,type,removed,time,fileId,driveId,file(kind,id,name,mimeType,resourceKey))")
	driveDefault     = schema("kind,id,name")
	driveListDefault = schema("kind,nextPageToken,drives(kind,id,name)")
)

// fileWritable are the fields that a client may send; false marks those that
// files.create alone takes. Everything else in the schema is output only.
var fileWritable = map[string]bool{
	"name": true, "mimeType": true, "description": true, "starred": true, "trashed": true, "properties": true,
	"appProperties": true, "modifiedTime": true, "viewedByMeTime": true, "contentHints": true, "originalFilename": true,
	"folderColorRgb": true, "writersCanShare": true, "viewersCanCopyContent": true, "copyRequiresWriterPermission": true,
	"contentRestrictions": true, "downloadRestrictions": true, "inheritedPermissionsDisabled": true,
	"id": false, "parents": false, "createdTime": false, "shortcutDetails": false,
}
