//! What a statement names, found by walking through its parsed form.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, ObjectName, ObjectNamePart, Spanned, TableFactor,
    Value, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Span;

/// A name with the place of its first use.
pub(super) type Places = BTreeMap<String, Span>;

/// Names that a statement uses, each with where it does so first.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Tables, and names of the statement's own: which is which depends on where they stand.
    pub relations: Places,
    /// Table functions.
    pub table_functions: Places,
    /// What `changes` is called with, where it is one text.
    pub changes: Places,
    /// Where it is called with something else.
    pub other_changes: Option<Span>,
    /// Other functions.
    pub functions: Places,
}

impl Visitor for Named {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args, .. } = factor {
            let found = match args {
                Some(_) => &mut self.table_functions,
                None => &mut self.relations,
            };
            note(found, name);
            if let Some(args) = args
                && name.to_string().eq_ignore_ascii_case(CHANGES)
            {
                self.note_changes(&args.args, name.span());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { name, .. }) = expression {
            note(&mut self.functions, name);
        }
        ControlFlow::Continue(())
    }
}

impl Named {
    fn note_changes(&mut self, arguments: &[FunctionArg], span: Span) {
        if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = arguments
            && let Value::SingleQuotedString(table) = &value.value
        {
            self.changes.entry(table.clone()).or_insert(span);
        } else {
            self.other_changes = Some(span);
        }
    }
}

/// The table function that gives what changed.
pub(crate) const CHANGES: &str = "changes";

fn note(found: &mut Places, name: &ObjectName) {
    if let Some(ObjectNamePart::Identifier(last)) = name.0.last() {
        let text = match last.quote_style {
            Some(_) => last.value.clone(),
            None => last.value.to_lowercase(),
        };
        found.entry(text).or_insert(last.span);
    }
}
