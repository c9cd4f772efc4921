//! Folders and names: as they are seen now, and as they are durable.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::content::FileNode;

/// A file's or folder's number.
pub(crate) type Id = u64;

pub(crate) type Folder = BTreeMap<String, Id>;

pub(crate) const ROOT: Id = 0;

#[derive(Debug, Clone)]
pub(crate) enum Node {
    File(FileNode),
    Folder(Folder),
}

/// One step that changed names: durable whole or not at all. Folder, name, and what it leads to afterwards.
#[derive(Debug, Clone)]
pub(crate) struct Change(pub(crate) Vec<(Id, String, Option<Id>)>);

#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) nodes: BTreeMap<Id, Node>,
    /// Each folder's entries as they are durable.
    pub(crate) durable: BTreeMap<Id, Folder>,
    /// Changes that are not.
    pub(crate) pending: Vec<Change>,
    links: BTreeMap<Id, u64>,
    opens: BTreeMap<Id, u64>,
    next: Id,
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn names(path: &Path) -> impl Iterator<Item = String> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    })
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self::found(BTreeMap::from([(ROOT, Node::Folder(Folder::new()))]))
    }

    /// A tree that was just found on the disk: everything is durable.
    pub(crate) fn found(nodes: BTreeMap<Id, Node>) -> Self {
        let mut this = Self {
            next: nodes.keys().max().map_or(1, |id| id + 1),
            nodes,
            durable: BTreeMap::new(),
            pending: Vec::new(),
            links: BTreeMap::new(),
            opens: BTreeMap::new(),
        };
        for (id, node) in &this.nodes {
            if let Node::Folder(entries) = node {
                this.durable.insert(*id, entries.clone());
                for entry in entries.values() {
                    *this.links.entry(*entry).or_default() += 1;
                }
            }
        }
        this
    }

    /// The same, with nothing open.
    pub(crate) fn closed(mut self) -> Self {
        self.opens.clear();
        self
    }

    pub(crate) fn folder(&self, id: Id) -> Option<&Folder> {
        match self.nodes.get(&id)? {
            Node::Folder(entries) => Some(entries),
            Node::File(_) => None,
        }
    }

    pub(crate) fn file_mut(&mut self, id: Id) -> Option<&mut FileNode> {
        match self.nodes.get_mut(&id)? {
            Node::File(file) => Some(file),
            Node::Folder(_) => None,
        }
    }

    pub(crate) fn find(&self, path: &Path) -> Option<Id> {
        names(path).try_fold(ROOT, |id, name| self.folder(id)?.get(&name).copied())
    }

    /// The folder that a path's last name lies in, and that name.
    fn place(&self, path: &Path) -> io::Result<(Id, String)> {
        let name = names(path).last().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = path.parent().and_then(|parent| self.find(parent)).ok_or_else(not_found)?;
        self.folder(parent).ok_or(io::ErrorKind::NotADirectory)?;
        Ok((parent, name))
    }

    pub(crate) fn create(&mut self, path: &Path, node: Node) -> io::Result<Id> {
        let (parent, name) = self.place(path)?;
        if self.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = self.next;
        self.next += 1;
        if let Node::Folder(_) = &node {
            self.durable.insert(id, Folder::new());
        }
        self.nodes.insert(id, node);
        self.change(Change(vec![(parent, name, Some(id))]));
        Ok(id)
    }

    pub(crate) fn create_folders(&mut self, path: &Path) -> io::Result<()> {
        let mut at = PathBuf::from("/");
        for name in names(path) {
            at.push(name);
            match self.find(&at) {
                None => drop(self.create(&at, Node::Folder(Folder::new()))?),
                Some(id) => drop(self.folder(id).ok_or(io::ErrorKind::NotADirectory)?),
            }
        }
        Ok(())
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.find(from).ok_or_else(not_found)?;
        let ((old, old_name), (new, new_name)) = (self.place(from)?, self.place(to)?);
        if let Some(there) = self.find(to).and_then(|there| self.folder(there))
            && !there.is_empty()
        {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.change(Change(vec![(old, old_name, None), (new, new_name, Some(id))]));
        Ok(())
    }

    /// Removes what lies there with everything in it, the innermost first.
    pub(crate) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let Some(id) = self.find(path) else { return Ok(()) };
        let inside: Vec<String> = self.folder(id).map(|entries| entries.keys().cloned().collect()).unwrap_or_default();
        for name in inside {
            self.remove(&path.join(name))?;
        }
        let (parent, name) = self.place(path)?;
        self.change(Change(vec![(parent, name, None)]));
        Ok(())
    }

    fn change(&mut self, change: Change) {
        for (folder, name, after) in &change.0 {
            let Some(Node::Folder(entries)) = self.nodes.get_mut(folder) else { continue };
            let before = match after {
                Some(id) => entries.insert(name.clone(), *id),
                None => entries.remove(name),
            };
            if let Some(id) = after {
                *self.links.entry(*id).or_default() += 1;
            }
            if let Some(links) = before.and_then(|id| self.links.get_mut(&id)) {
                *links = links.saturating_sub(1);
            }
        }
        self.pending.push(change);
    }

    /// Makes a folder's entries durable, and with them the other half of what was renamed into it or out of it.
    pub(crate) fn sync_folder(&mut self, folder: Id) {
        let mut settled = BTreeSet::new();
        for change in &self.pending {
            if change.0.iter().any(|(at, ..)| *at == folder) {
                settled.extend(change.0.iter().map(|(at, name, _)| (*at, name.clone())));
            }
        }
        for (at, name) in &settled {
            let now = self.folder(*at).and_then(|entries| entries.get(name)).copied();
            let durable = self.durable.entry(*at).or_default();
            match now {
                Some(id) => drop(durable.insert(name.clone(), id)),
                None => drop(durable.remove(name)),
            }
        }
        for change in &mut self.pending {
            change.0.retain(|(at, name, _)| !settled.contains(&(*at, name.clone())));
        }
        self.pending.retain(|change| !change.0.is_empty());
        self.collect();
    }

    /// Lets go of what nothing leads to any more.
    fn collect(&mut self) {
        let mut needed: BTreeSet<Id> = self.durable.values().flat_map(|entries| entries.values().copied()).collect();
        needed.extend(
            self.pending.iter().flat_map(|change| change.0.iter().flat_map(|(at, _, id)| [Some(*at), *id])).flatten(),
        );
        let is_needed = |id: &Id, links: &BTreeMap<Id, u64>, opens: &BTreeMap<Id, u64>| {
            *id == ROOT || needed.contains(id) || [links, opens].iter().any(|map| map.get(id).is_some_and(|n| *n > 0))
        };
        let gone: Vec<Id> = self.nodes.keys().filter(|id| !is_needed(id, &self.links, &self.opens)).copied().collect();
        for id in gone {
            self.nodes.remove(&id);
            self.durable.remove(&id);
            self.links.remove(&id);
            self.opens.remove(&id);
        }
    }

    pub(crate) fn links(&self, id: Id) -> u64 {
        self.links.get(&id).copied().unwrap_or(0)
    }

    pub(crate) fn opened(&mut self, id: Id) {
        *self.opens.entry(id).or_default() += 1;
    }

    pub(crate) fn closed_one(&mut self, id: Id) {
        if let Some(opens) = self.opens.get_mut(&id) {
            *opens = opens.saturating_sub(1);
        }
    }

    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        self.walk(ROOT, Path::new("/"), &mut found);
        found
    }

    fn walk(&self, id: Id, path: &Path, found: &mut Vec<(PathBuf, u64)>) {
        match self.nodes.get(&id) {
            Some(Node::File(file)) => found.push((path.to_path_buf(), file.now().bytes)),
            Some(Node::Folder(entries)) => {
                for (name, id) in entries {
                    self.walk(*id, &path.join(name), found);
                }
            }
            None => {}
        }
    }

    /// Makes everything durable: for tampering.
    fn settle(&mut self) {
        for (id, node) in &self.nodes {
            if let Node::Folder(entries) = node {
                self.durable.insert(*id, entries.clone());
            }
        }
        self.pending.clear();
    }

    pub(crate) fn lose(&mut self, path: &Path) {
        if self.remove(path).is_ok() {
            self.settle();
        }
    }

    pub(crate) fn put_back(&mut self, older: &Self, path: &Path) {
        self.lose(path);
        if let Some(id) = older.find(path) {
            self.graft(older, id, path);
            self.settle();
        }
    }

    fn graft(&mut self, older: &Self, id: Id, path: &Path) {
        match older.nodes.get(&id) {
            Some(Node::File(file)) => drop(self.create(path, Node::File(FileNode::found(file.now().clone())))),
            Some(Node::Folder(entries)) => {
                drop(self.create(path, Node::Folder(Folder::new())));
                for (name, id) in entries {
                    self.graft(older, *id, &path.join(name));
                }
            }
            None => {}
        }
    }
}
