//! Reads a user's `.proto` files, without protoc. `codec` knows no files.

use std::path::{Path, PathBuf};

use crate::codec::{ProtoError, ProtoSchema};

/// The largest compiled `.proto` that is read.
const MOST_BYTES: u64 = 64 << 20;

/// Compiles a `.proto`, or reads a compiled `FileDescriptorSet` (any other ending). Imports are looked
/// for in `include`, and in the file's own folder.
///
/// # Errors
/// What cannot be read or compiled, with its place.
pub fn load_proto(file: &Path, include: &[PathBuf]) -> Result<ProtoSchema, ProtoError> {
    let failed = |reason: String| ProtoError::File { file: file.display().to_string(), reason };
    if file.extension().is_none_or(|extension| extension != "proto") {
        let length_bytes = std::fs::metadata(file).map_err(|error| failed(error.to_string()))?.len();
        if length_bytes > MOST_BYTES {
            return Err(failed(format!("it has more than {} MiB", MOST_BYTES >> 20)));
        }
        let bytes = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
        return ProtoSchema::from_bytes(&bytes).map_err(|reason| failed(reason.to_string()));
    }
    let own = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut folders: Vec<&Path> = include.iter().map(PathBuf::as_path).collect();
    folders.push(own);
    // The compiler's longer words have the place of a mistake.
    let mut compiler = protox::Compiler::new(&folders).map_err(|error| failed(format!("{error:?}")))?;
    compiler.include_imports(true);
    compiler.open_file(file).map_err(|error| failed(format!("{error:?}")))?;
    let main = compiler.files().find(|metadata| !metadata.is_import()).map(|file| file.name().to_owned());
    Ok(ProtoSchema::of(compiler.descriptor_pool(), main))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_the_file_have_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bad.proto");
        std::fs::write(&file, "syntax = \"proto3\";\nmessage A { nope b = 1; }\n").unwrap();
        let error = load_proto(&file, &[]).unwrap_err().to_string();
        assert!(error.contains("bad.proto") && error.contains("nope") && error.contains("2:13"), "{error}");
        let error = load_proto(&folder.path().join("none.proto"), &[]).unwrap_err().to_string();
        assert!(error.contains("none.proto"), "{error}");
    }

    #[test]
    fn imports_are_found_in_the_folders_given_and_their_services_are_not_offered() {
        let folder = tempfile::tempdir().unwrap();
        let (main, other) = (folder.path().join("main"), folder.path().join("other"));
        for (path, text) in [
            (main.join("a.proto"), "import \"b.proto\"; service A { rpc M(b.B) returns (b.B); }"),
            (
                other.join("b.proto"),
                "package b; message B { int32 x = 1; } service S { rpc N(B) returns (B); }",
            ),
        ] {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("syntax = \"proto3\"; {text}")).unwrap();
        }
        assert!(load_proto(&main.join("a.proto"), &[]).is_err());
        let schema = load_proto(&main.join("a.proto"), &[other]).unwrap();
        assert_eq!(schema.codec(None).unwrap().1, "A");
        let set = main.join("a.protoset");
        std::fs::write(&set, schema.to_bytes()).unwrap();
        let names: Vec<String> =
            load_proto(&set, &[]).unwrap().services().into_iter().map(|service| service.name).collect();
        assert_eq!(names, ["b.S", "A"]);
    }
}
