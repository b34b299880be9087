//! Files, by the kernel's Landlock (landlock(7)): read here, write there, nothing else, and run none.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
};

use super::{Hold, Reach};

/// The newest set of rights that is asked for (Linux 6.10); an older kernel enforces those it knows.
const NEWEST: ABI = ABI::V5;

pub(super) fn enter(reach: &Reach) -> Result<Hold, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // Pipes, devices and links are of no use in a folder of alerts; the status socket is.
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSock
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .create()?
        .set_compatibility(CompatLevel::BestEffort);
    let rules = allow(rules, &reach.read, read)?;
    let rules = allow(rules, &reach.write, write)?;
    let rules = allow(rules, &reach.run, AccessFs::Execute.into())?;
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Hold::Full,
        RulesetStatus::PartiallyEnforced => Hold::Partial,
        RulesetStatus::NotEnforced => Hold::None,
    })
}

/// Allows `access` beneath each path. One that is not there needs no rule: nothing can come to be in its place.
fn allow(
    mut rules: RulesetCreated,
    paths: &[PathBuf],
    access: landlock::BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    for path in paths {
        if let Ok(opened) = PathFd::new(path) {
            // What is for folders alone cannot be asked for a file.
            let fits = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
            rules = rules.add_rule(PathBeneath::new(opened, fits))?;
        }
    }
    Ok(rules)
}
