//! The examples of persistent-kv's documentation (MIT OR Apache-2.0) with another import, and paths of their own.
#![allow(unreachable_pub, reason = "they are as they are")]

use cairndb::persistent_kv;

use std::path::Path;

fn run(example: fn(&Path) -> persistent_kv::Result<()>) {
    let directory = tempfile::tempdir().unwrap();
    example(&directory.path().join("tmp/mystore")).unwrap();
}

#[test]
fn of_the_readme() {
    run(|path| {
        use persistent_kv::{Config, PersistentKeyValueStore};

        let store: PersistentKeyValueStore<String, String> = PersistentKeyValueStore::new(path, Config::default())?;
        store.set("foo", "is here to stay")?;
        drop(store);

        let store: PersistentKeyValueStore<String, String> = PersistentKeyValueStore::new(path, Config::default())?;
        assert_eq!(store.get("foo"), Some("is here to stay".to_string()));
        Ok(())
    });
}

#[test]
fn of_new() {
    run(|path| {
        use persistent_kv::{Config, PersistentKeyValueStore};
        let store: PersistentKeyValueStore<String, String> = PersistentKeyValueStore::new(path, Config::default())?;
        store.set("foo", "1")?;
        drop(store);
        let store: PersistentKeyValueStore<String, String> = PersistentKeyValueStore::new(path, Config::default())?;
        assert_eq!(store.get("foo"), Some("1".to_string()));
        Ok(())
    });
}

#[test]
fn of_unset() {
    run(|path| {
        use persistent_kv::{Config, PersistentKeyValueStore};
        let store: PersistentKeyValueStore<String, String> = PersistentKeyValueStore::new(path, Config::default())?;
        store.set("foo", "1")?;
        assert_eq!(store.get("foo"), Some("1".to_string()));
        store.unset("foo")?;
        assert_eq!(store.get("foo"), None);
        Ok(())
    });
}

#[test]
fn of_set_and_get() {
    run(|path| {
        use persistent_kv::{Config, PersistentKeyValueStore};
        let store: PersistentKeyValueStore<String, String> = PersistentKeyValueStore::new(path, Config::default())?;
        store.set("foo", "1")?;
        assert_eq!(store.get("foo"), Some("1".to_string()));
        Ok(())
    });
}

#[cfg(feature = "prost")]
#[test]
fn of_set_proto_and_get_proto() {
    run(|path| {
        use persistent_kv::{Config, PersistentKeyValueStore};
        use prost::Message;
        #[derive(Clone, PartialEq, Message)]
        pub struct Foo {
            #[prost(uint32, tag = "1")]
            pub bar: u32,
        }
        let store: PersistentKeyValueStore<String, Foo> = PersistentKeyValueStore::new(path, Config::default())?;
        store.set_proto("foo", Foo { bar: 42 })?;
        assert_eq!(store.get_proto("foo")?, Some(Foo { bar: 42 }));
        Ok(())
    });
}
