//! Prints the figures of a checkout: `cargo run -p breakglass-layout -- [DIRECTORY]`.

use std::error::Error;
use std::path::PathBuf;

use breakglass_layout::circles::{arrows, circles};
use breakglass_layout::figures::median_and_most;
use breakglass_layout::manifest::packages;
use breakglass_layout::source::Source;

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let (mut files, mut functions, mut loops) = (Vec::new(), Vec::new(), 0_usize);
    let packages = packages(&root)?;
    for package in &packages {
        let (mut lines, mut found) = (Vec::new(), Vec::new());
        for start in package.roots() {
            let source = Source::read(&start)?;
            let uses = source.uses();
            for circle in circles(&uses) {
                loops = loops.saturating_add(1);
                println!("circle of {} files in {}", circle.len(), package.name);
                arrows(&uses, &circle).iter().for_each(|arrow| println!("  {arrow}"));
            }
            lines.extend(source.lines.into_iter().map(|(file, lines)| (lines, file)));
            found.extend(
                source.functions.into_iter().map(|(file, name, lines)| (lines, name, file)),
            );
        }
        report(
            &package.name,
            &lines.iter().map(|(lines, _)| *lines).collect::<Vec<_>>(),
            found.len(),
        );
        files.extend(lines);
        functions.extend(found);
    }
    let (file, longest_file) = median_and_most(files.iter().map(|(lines, _)| *lines).collect());
    let (function, _) = median_and_most(functions.iter().map(|(lines, ..)| *lines).collect());
    println!(
        "\n{} crates, {} files, {} functions, {loops} circles",
        packages.len(),
        files.len(),
        functions.len()
    );
    println!("lines of a file: median {file}, longest {longest_file}: {:?}", files.iter().max());
    println!("lines of a function: median {function}, longest {:?}", functions.iter().max());
    Ok(())
}

fn report(name: &str, lines: &[usize], functions: usize) {
    let (median, longest) = median_and_most(lines.to_vec());
    let all: usize = lines.iter().sum();
    println!(
        "{name}: {} files, {all} lines, median {median}, longest {longest}; {functions} functions",
        lines.len()
    );
}
