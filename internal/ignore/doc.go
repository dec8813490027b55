// Package ignore decides which names of a tree are left out, with the exact
// meaning of gitignore(5), proved against git itself by TestAgainstGit.
//
// Rules come in levels: the configuration's ignore list is the weakest, then
// the .acbignore file at the top of a source, then those of the folders below;
// the deepest level that has an opinion wins, and within a level the last line
// that matches. A caller that walks a tree from its top keeps one [Rules] for
// each folder, asks [Rules.Match] for each name in it, calls [Rules.Below]
// where it meets an ignore file, and does not enter a folder that is ignored:
// nothing below such a folder can be included again, as in git.
//
// Paths are slash-separated on every system and names are bytes: a "?" is one
// byte, as it is for git, and names need not be UTF-8. Matching respects case.
package ignore
