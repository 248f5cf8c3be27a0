//! The tables of `pg_catalog`: their columns, and which of them never have a row here.

/// A table of the catalog: its name, and its columns, each with a letter for its type:
/// `b` boolean, `o` a number of an object, `n` a number, `s` a small one, `f` a float, `t` text; a
/// capital letter is a list.
pub(super) struct Relation {
    pub name: &'static str,
    pub columns: &'static str,
}

const fn relation(name: &'static str, columns: &'static str) -> Relation {
    Relation { name, columns }
}

/// Tables that have rows.
pub(super) const FILLED: &[Relation] = &[
    relation("pg_namespace", "oid:o nspname:t nspowner:o nspacl:T"),
    relation(
        "pg_class",
        "oid:o relname:t relnamespace:o reltype:o reloftype:o relowner:o relam:o relfilenode:o \
         reltablespace:o relpages:n reltuples:f relallvisible:n reltoastrelid:o relhasindex:b \
         relisshared:b relpersistence:t relkind:t relnatts:s relchecks:s relhasrules:b \
         relhastriggers:b relhassubclass:b relrowsecurity:b relforcerowsecurity:b \
         relispopulated:b relreplident:t relispartition:b relrewrite:o relfrozenxid:o relminmxid:o \
         relacl:T reloptions:T relpartbound:t xmin:o",
    ),
    relation(
        "pg_attribute",
        "attrelid:o attname:t atttypid:o attstattarget:n attlen:s attnum:s attndims:n \
         attcacheoff:n atttypmod:n attbyval:b attalign:t attstorage:t attcompression:t \
         attnotnull:b atthasdef:b atthasmissing:b attidentity:t attgenerated:t attisdropped:b \
         attislocal:b attinhcount:n attcollation:o attacl:T attoptions:T attfdwoptions:T",
    ),
    relation(
        "pg_type",
        "oid:o typname:t typnamespace:o typowner:o typlen:s typbyval:b typtype:t typcategory:t \
         typispreferred:b typisdefined:b typdelim:t typrelid:o typsubscript:t typelem:o typarray:o \
         typinput:t typoutput:t typreceive:t typsend:t typmodin:t typmodout:t typanalyze:t \
         typalign:t typstorage:t typnotnull:b typbasetype:o typtypmod:n typndims:n typcollation:o \
         typdefaultbin:t typdefault:t typacl:T",
    ),
    relation(
        "pg_constraint",
        "oid:o conname:t connamespace:o contype:t condeferrable:b condeferred:b convalidated:b \
         conrelid:o contypid:o conindid:o conparentid:o confrelid:o confupdtype:t confdeltype:t \
         confmatchtype:t conislocal:b coninhcount:n connoinherit:b conkey:S confkey:S conpfeqop:O \
         conppeqop:O conffeqop:O confdelsetcols:S conexclop:O conbin:t tableoid:o",
    ),
    relation(
        "pg_index",
        "indexrelid:o indrelid:o indnatts:s indnkeyatts:s indisunique:b indnullsnotdistinct:b \
         indisprimary:b indisexclusion:b indimmediate:b indisclustered:b indisvalid:b \
         indcheckxmin:b indisready:b indislive:b indisreplident:b indkey:V indcollation:O \
         indclass:O indoption:V indexprs:t indpred:t",
    ),
    relation(
        "pg_description",
        "objoid:o classoid:o objsubid:n description:t",
    ),
    relation(
        "pg_database",
        "oid:o datname:t datdba:o encoding:n datlocprovider:t datistemplate:b datallowconn:b \
         datconnlimit:n datfrozenxid:o datminmxid:o dattablespace:o datcollate:t datctype:t \
         daticulocale:t daticurules:t datcollversion:t datacl:T",
    ),
    relation(
        "pg_roles",
        "oid:o rolname:t rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b \
         rolreplication:b rolconnlimit:n rolpassword:t rolvaliduntil:t rolbypassrls:b rolconfig:T",
    ),
    relation(
        "pg_settings",
        "name:t setting:t unit:t category:t short_desc:t extra_desc:t context:t vartype:t source:t \
         min_val:t max_val:t enumvals:T boot_val:t reset_val:t sourcefile:t sourceline:n \
         pending_restart:b",
    ),
    relation("pg_am", "oid:o amname:t amhandler:t amtype:t"),
    relation(
        "pg_tables",
        "schemaname:t tablename:t tableowner:t tablespace:t hasindexes:b hasrules:b hastriggers:b \
         rowsecurity:b",
    ),
    relation(
        "pg_views",
        "schemaname:t viewname:t viewowner:t definition:t",
    ),
];

/// Tables that have none: there is nothing of what they list.
pub(super) const EMPTY: &[Relation] = &[
    relation("pg_attrdef", "oid:o adrelid:o adnum:s adbin:t"),
    relation(
        "pg_collation",
        "oid:o collname:t collnamespace:o collowner:o collprovider:t collisdeterministic:b \
         collencoding:n collcollate:t collctype:t colliculocale:t collversion:t",
    ),
    relation(
        "pg_proc",
        "oid:o proname:t pronamespace:o proowner:o prolang:o procost:f prorows:f provariadic:o \
         prosupport:t prokind:t prosecdef:b proleakproof:b proisstrict:b proretset:b \
         provolatile:t proparallel:t pronargs:s pronargdefaults:s prorettype:o proargtypes:O \
         proallargtypes:O proargmodes:T proargnames:T proargdefaults:t prosrc:t probin:t \
         proconfig:T proacl:T",
    ),
    relation(
        "pg_trigger",
        "oid:o tgrelid:o tgparentid:o tgname:t tgfoid:o tgtype:s tgenabled:t tgisinternal:b \
         tgconstrrelid:o tgconstrindid:o tgconstraint:o tgdeferrable:b tginitdeferred:b tgnargs:s \
         tgattr:S tgargs:t tgqual:t tgoldtable:t tgnewtable:t tableoid:o",
    ),
    relation(
        "pg_inherits",
        "inhrelid:o inhparent:o inhseqno:n inhdetachpending:b",
    ),
    relation(
        "pg_policy",
        "oid:o polname:t polrelid:o polcmd:t polpermissive:b polroles:O polqual:t polwithcheck:t",
    ),
    relation(
        "pg_statistic_ext",
        "oid:o stxrelid:o stxname:t stxnamespace:o stxowner:o stxstattarget:n stxkeys:S stxkind:T \
         stxexprs:t",
    ),
    relation(
        "pg_rewrite",
        "oid:o rulename:t ev_class:o ev_type:t ev_enabled:t is_instead:b ev_qual:t ev_action:t tableoid:o",
    ),
    relation(
        "pg_depend",
        "classid:o objid:o objsubid:n refclassid:o refobjid:o refobjsubid:n deptype:t",
    ),
    relation("pg_enum", "oid:o enumtypid:o enumsortorder:f enumlabel:t"),
    relation(
        "pg_extension",
        "oid:o extname:t extowner:o extnamespace:o extrelocatable:b extversion:t extconfig:O \
         extcondition:T",
    ),
    relation("pg_foreign_table", "ftrelid:o ftserver:o ftoptions:T"),
    relation(
        "pg_foreign_server",
        "oid:o srvname:t srvowner:o srvfdw:o srvtype:t srvversion:t srvacl:T srvoptions:T",
    ),
    relation(
        "pg_foreign_data_wrapper",
        "oid:o fdwname:t fdwowner:o fdwhandler:o fdwvalidator:o fdwacl:T fdwoptions:T",
    ),
    relation(
        "pg_publication",
        "oid:o pubname:t pubowner:o puballtables:b pubinsert:b pubupdate:b pubdelete:b \
         pubtruncate:b pubviaroot:b",
    ),
    relation(
        "pg_publication_rel",
        "oid:o prpubid:o prrelid:o prqual:t prattrs:S",
    ),
    relation("pg_publication_namespace", "oid:o pnpubid:o pnnspid:o"),
    relation(
        "pg_partitioned_table",
        "partrelid:o partstrat:t partnatts:s partdefid:o partattrs:S partclass:O partcollation:O \
         partexprs:t",
    ),
    relation(
        "pg_sequence",
        "seqrelid:o seqtypid:o seqstart:o seqincrement:o seqmax:o seqmin:o seqcache:o seqcycle:b",
    ),
    relation(
        "pg_tablespace",
        "oid:o spcname:t spcowner:o spcacl:T spcoptions:T",
    ),
    relation(
        "pg_auth_members",
        "oid:o roleid:o member:o grantor:o admin_option:b",
    ),
    relation(
        "pg_language",
        "oid:o lanname:t lanowner:o lanispl:b lanpltrusted:b lanplcallfoid:o laninline:o \
         lanvalidator:o lanacl:T tableoid:o",
    ),
    relation(
        "pg_operator",
        "oid:o oprname:t oprnamespace:o oprowner:o oprkind:t oprleft:o oprright:o oprresult:o",
    ),
    relation(
        "pg_opclass",
        "oid:o opcmethod:o opcname:t opcnamespace:o opcowner:o opcfamily:o opcintype:o \
         opcdefault:b opckeytype:o tableoid:o",
    ),
    relation(
        "pg_cast",
        "oid:o castsource:o casttarget:o castfunc:o castcontext:t castmethod:t",
    ),
    relation("pg_shdescription", "objoid:o classoid:o description:t"),
    relation(
        "pg_conversion",
        "oid:o conname:t connamespace:o conowner:o conforencoding:n contoencoding:n conproc:o \
         condefault:b tableoid:o",
    ),
    relation(
        "pg_default_acl",
        "oid:o defaclrole:o defaclnamespace:o defaclobjtype:t defaclacl:T",
    ),
    relation(
        "pg_user_mappings",
        "umid:o srvid:o srvname:t umuser:o usename:t umoptions:T",
    ),
    relation(
        "pg_ts_config",
        "oid:o cfgname:t cfgnamespace:o cfgowner:o cfgparser:o",
    ),
    relation(
        "pg_ts_dict",
        "oid:o dictname:t dictnamespace:o dictowner:o dicttemplate:o dictinitoption:t",
    ),
    relation(
        "pg_ts_parser",
        "oid:o prsname:t prsnamespace:o prsstart:o prstoken:o prsend:o prsheadline:o prslextype:o",
    ),
    relation(
        "pg_ts_template",
        "oid:o tmplname:t tmplnamespace:o tmplinit:o tmpllexize:o",
    ),
    relation("pg_largeobject_metadata", "oid:o lomowner:o lomacl:T"),
    relation("pg_db_role_setting", "setdatabase:o setrole:o setconfig:T"),
    relation(
        "pg_subscription",
        "oid:o subdbid:o subskiplsn:t subname:t subowner:o subenabled:b subbinary:b substream:b \
         subtwophasestate:t subdisableonerr:b subconninfo:t subslotname:t subsynccommit:t \
         subpublications:T",
    ),
    relation(
        "pg_opfamily",
        "oid:o opfmethod:o opfname:t opfnamespace:o opfowner:o tableoid:o",
    ),
    relation(
        "pg_amop",
        "oid:o amopfamily:o amoplefttype:o amoprighttype:o amopstrategy:s amoppurpose:t \
         amopopr:o amopmethod:o amopsortfamily:o",
    ),
    relation(
        "pg_amproc",
        "oid:o amprocfamily:o amproclefttype:o amprocrighttype:o amprocnum:s amproc:o",
    ),
    relation(
        "pg_seclabel",
        "objoid:o classoid:o objsubid:n provider:t label:t",
    ),
    relation(
        "pg_range",
        "rngtypid:o rngsubtype:o rngmultitypid:o rngcollation:o rngsubopc:o rngcanonical:t \
         rngsubdiff:t",
    ),
    relation(
        "pg_event_trigger",
        "oid:o evtname:t evtevent:t evtowner:o evtfoid:o evtenabled:t evttags:T",
    ),
    relation(
        "pg_matviews",
        "schemaname:t matviewname:t matviewowner:t tablespace:t hasindexes:b ispopulated:b \
         definition:t",
    ),
    relation(
        "pg_stat_activity",
        "datid:o datname:t pid:n usename:t application_name:t state:t query:t",
    ),
    relation(
        "pg_locks",
        "locktype:t database:o relation:o pid:n mode:t granted:b",
    ),
    relation(
        "pg_replication_slots",
        "slot_name:t plugin:t slot_type:t active:b",
    ),
];
