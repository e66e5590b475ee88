//! The guides: runbooks and reference pages for the people who operate encrypted columns.
//!
//! * [`columns`]: declare an encrypted column, guard it in the database, and choose a field type.
//! * [`adoption`]: encrypt a column that holds plaintext, and decrypt it again.
//! * [`rotation`]: rotate a key, from the new key to the removal of the old one.
//! * [`proof`]: what the proof rests on, database by database, and what each doubt means.
//! * [`performance`]: what a rotation costs, and how to prepare a large one.
//! * [`elsewhere`]: read columns that Django, SQLAlchemy, Airflow or OpenStack encrypted.
//!
//! These pages are the Markdown files of the folder `docs`.

/// The targets of the labels in rustdoc. They come before the definitions in the files, because rustdoc uses the first one.
macro_rules! links {
    () => {
        "\
[guide-adoption]: crate::guide::adoption
[guide-adoption-5-deploy-leavingt-to-every-instance]: crate::guide::adoption#5-deploy-leavingt-to-every-instance
[guide-columns]: crate::guide::columns
[guide-columns-a-guard-for-an-existing-column]: crate::guide::columns#a-guard-for-an-existing-column
[guide-columns-diesel-print-schema]: crate::guide::columns#diesel-print-schema
[guide-columns-guards]: crate::guide::columns#guards
[guide-columns-sizes]: crate::guide::columns#sizes
[guide-elsewhere]: crate::guide::elsewhere
[guide-performance]: crate::guide::performance
[guide-performance-before-a-large-rotation-on-postgresql]: crate::guide::performance#before-a-large-rotation-on-postgresql
[guide-performance-rate]: crate::guide::performance#rate
[guide-proof]: crate::guide::proof
[guide-proof-what-each-doubt-means]: crate::guide::proof#what-each-doubt-means
[guide-readme-in-ci]: crate
[guide-readme-limits]: crate
[guide-readme-when-the-application-starts]: crate
[guide-rotation]: crate::guide::rotation
[guide-rotation-10-decide-about-triggers]: crate::guide::rotation#10-decide-about-triggers
[guide-rotation-12-follow-the-progress]: crate::guide::rotation#12-follow-the-progress
[guide-rotation-13-slow-it-down-pause-it-stop-it]: crate::guide::rotation#13-slow-it-down-pause-it-stop-it
[guide-rotation-14-end-long-transactions-if-the-proof-waits-for-them]: crate::guide::rotation#14-end-long-transactions-if-the-proof-waits-for-them
[guide-rotation-15-keep-the-statement]: crate::guide::rotation#15-keep-the-statement
[guide-rotation-16-fix-the-listed-values-exit-code-4]: crate::guide::rotation#16-fix-the-listed-values-exit-code-4
[guide-rotation-2-back-up]: crate::guide::rotation#2-back-up
[guide-rotation-3-create-the-new-key-and-store-it]: crate::guide::rotation#3-create-the-new-key-and-store-it
[guide-rotation-6-give-the-task-its-privileges]: crate::guide::rotation#6-give-the-task-its-privileges
[guide-rotation-7-create-the-tables-of-the-task-if-its-user-cannot]: crate::guide::rotation#7-create-the-tables-of-the-task-if-its-user-cannot
[guide-rotation-9-rehearse-and-read-the-estimate]: crate::guide::rotation#9-rehearse-and-read-the-estimate
[guide-rotation-exit-codes]: crate::guide::rotation#exit-codes
"
    };
}

macro_rules! guide {
    ($name:ident, $summary:literal) => {
        #[doc = $summary]
        #[doc = ""]
        #[cfg_attr(feature = "reencrypt", doc = "[guide-readme-in-ci]: crate::discover")]
        #[cfg_attr(
            feature = "reencrypt",
            doc = "[guide-readme-when-the-application-starts]: crate::startup::StartupCheck"
        )]
        #[doc = links!()]
        #[doc = ""]
        #[doc = include_str!(concat!("../docs/", stringify!($name), ".md"))]
        pub mod $name {}
    };
}

guide!(columns, "Declare an encrypted column, guard it in the database, and choose a field type.");
guide!(adoption, "Encrypt a column that holds plaintext, and decrypt it again: the runbook.");
guide!(rotation, "Rotate a key, from the new key to the removal of the old one: the runbook.");
guide!(proof, "What the proof rests on, database by database, and what each doubt means.");
guide!(performance, "What a rotation costs, how to measure it, and how to prepare a large one.");
guide!(elsewhere, "Read columns that Django, SQLAlchemy, Airflow or OpenStack encrypted.");
