//! Traps of SQL: statements that can be computed and mean something else than they seem to.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, DateTimeField, Expr, Function, GroupByExpr, Ident, ObjectNamePart,
    Query, Select, SelectItem, SetExpr, Spanned, TableFactor, TableWithJoins, UnaryOperator, Value,
    Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Span;

/// Something that a statement does not mean as it seems.
#[derive(Debug, PartialEq)]
pub(super) struct Trap {
    /// Where it stands.
    pub span: Span,
    /// Whether it cannot be meant.
    pub certain: bool,
    /// What it does.
    pub message: String,
    /// What to write instead.
    pub remedy: &'static str,
}

/// Looks for traps; tells of columns of tables whether they can be NULL.
pub(super) struct Traps<'a> {
    pub never_null: &'a dyn Fn(&str, &str) -> bool,
    pub found: Vec<Trap>,
}

impl Visitor for Traps<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Exists { subquery, .. } => {
                if let SetExpr::Select(select) = subquery.body.as_ref() {
                    self.binding(select);
                }
            }
            Expr::InSubquery {
                subquery,
                negated: true,
                ..
            } => self.not_in(expression, subquery),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if let GroupByExpr::Expressions(groups, _) = &select.group_by {
            for group in groups {
                self.bucket(meant(group, select));
            }
        }
        ControlFlow::Continue(())
    }
}

const QUALIFY: &str = "give both tables a name with AS, and write it before every column: \
                       `WHERE inner.id = outer.id`";

impl Traps<'_> {
    /// A condition of EXISTS has to compare the inner table with the outer one.
    fn binding(&mut self, select: &Select) {
        let inner = relations(&select.from);
        let Some(condition) = &select.selection else {
            return;
        };
        let mut compared = Vec::new();
        equalities(condition, &mut compared);
        for (left, right) in compared {
            let (Some(a), Some(b)) = (column(left), column(right)) else {
                continue;
            };
            let of_inner = |of: &Option<String>| of.as_ref().is_none_or(|of| inner.contains(of));
            let is_bare = a.0.is_none() || b.0.is_none();
            if a.1 == b.1 && is_bare && of_inner(&a.0) && of_inner(&b.0) && inner.len() == 1 {
                self.found.push(Trap {
                    span: left.span(),
                    certain: true,
                    message: format!(
                        "`{left} = {right}` compares a column of the inner table with itself: a name without a \
                         table is first of all one of the inner table"
                    ),
                    remedy: QUALIFY,
                });
                return;
            }
        }
        let mut names = Names::default();
        let _ = condition.visit(&mut names);
        let outside = names.tables.iter().any(|table| !inner.contains(table));
        if !outside && names.bare {
            self.found.push(Trap {
                span: condition.span(),
                certain: false,
                message: "no column here is said to be of the outer table: names without a table are first of all \
                          those of the inner one, and then this is true for all rows or for none"
                    .to_owned(),
                remedy: QUALIFY,
            });
        }
    }

    /// `NOT IN` is never true once there is a NULL among the values.
    fn not_in(&mut self, expression: &Expr, subquery: &Query) {
        if let SetExpr::Select(select) = subquery.body.as_ref()
            && self.is_never_null(select)
        {
            return;
        }
        self.found.push(Trap {
            span: expression.span(),
            certain: false,
            message: "NOT IN gives no row at all once the subquery gives a NULL".to_owned(),
            remedy: "use NOT EXISTS with a condition between both tables, or add `WHERE … IS NOT NULL` to the \
                     subquery",
        });
    }

    fn is_never_null(&self, select: &Select) -> bool {
        let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
            select.projection.as_slice()
        else {
            return false;
        };
        let mut asked = Vec::new();
        if let Some(condition) = &select.selection {
            conditions(condition, &mut asked);
        }
        let said = |condition: &&Expr| match condition {
            Expr::IsNotNull(of) => column(of).is_some() && column(of) == column(value),
            _ => false,
        };
        if asked.iter().any(said) {
            return true;
        }
        let Some((_, name)) = column(value) else {
            return matches!(value, Expr::Value(value) if value.value != Value::Null);
        };
        match select.from.as_slice() {
            [
                TableWithJoins {
                    relation: TableFactor::Table { name: table, .. },
                    joins,
                },
            ] if joins.is_empty() => {
                let table = table.0.last().and_then(|part| match part {
                    ObjectNamePart::Identifier(ident) => Some(folded(ident)),
                    ObjectNamePart::Function(_) => None,
                });
                table.is_some_and(|table| (self.never_null)(&table, &name))
            }
            _ => false,
        }
    }

    /// A division that keeps fractions makes a group of every value.
    fn bucket(&mut self, group: &Expr) {
        let Some((left, right, span)) = division(group) else {
            return;
        };
        let kinds = [kind(left), kind(right)];
        if kinds == [Kind::Whole, Kind::Whole] {
            return;
        }
        let certain = kinds.contains(&Kind::Fraction);
        let what = if certain {
            "keeps"
        } else {
            "keeps, unless both sides are whole numbers,"
        };
        self.found.push(Trap {
            span,
            certain: false,
            message: format!(
                "this division {what} fractions: as a group it parts values that belong together"
            ),
            remedy: "use floor(a / b), or make both sides whole: CAST(a AS BIGINT) / 60",
        });
    }
}

/// The expression that a group stands for: an ordinal or another name of a selected one.
fn meant<'a>(group: &'a Expr, select: &'a Select) -> &'a Expr {
    let selected = |item: &'a SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    };
    let found = match group {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => {
                let place = text.parse::<usize>().ok();
                let place = place.and_then(|place| place.checked_sub(1));
                place
                    .and_then(|place| select.projection.get(place))
                    .and_then(selected)
            }
            _ => None,
        },
        Expr::Identifier(name) => select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if folded(alias) == folded(name) => {
                Some(expr)
            }
            _ => None,
        }),
        _ => None,
    };
    found.unwrap_or(group)
}

/// A division whose result is used as it is.
fn division(expression: &Expr) -> Option<(&Expr, &Expr, Span)> {
    match expression {
        Expr::Nested(inner) => division(inner),
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::Divide => Some((left, right, expression.span())),
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply => {
                division(left).or_else(|| division(right))
            }
            _ => None,
        },
        _ => None,
    }
}

/// What is known of a number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Whole,
    Fraction,
    Unknown,
}

/// Functions that give whole numbers of a whole type.
const WHOLE: [&str; 9] = [
    "count",
    "length",
    "char_length",
    "to_unixtime",
    "row_number",
    "rank",
    "dense_rank",
    "ntile",
    "levenshtein",
];

/// Functions that give numbers with fractions, or of a type that has them.
const FRACTION: [&str; 9] = [
    "floor", "ceil", "round", "trunc", "avg", "random", "sqrt", "stddev", "power",
];

fn kind(expression: &Expr) -> Kind {
    match expression {
        Expr::Nested(inner) => kind(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr,
        } => kind(expr),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) if text.chars().all(|c| c.is_ascii_digit()) => Kind::Whole,
            Value::Number(..) => Kind::Fraction,
            _ => Kind::Unknown,
        },
        Expr::Cast { data_type, .. } => kind_of(data_type),
        Expr::Floor { .. } | Expr::Ceil { .. } => Kind::Fraction,
        Expr::Extract {
            field: DateTimeField::Epoch,
            ..
        } => Kind::Fraction,
        Expr::Extract { .. } => Kind::Whole,
        Expr::Function(Function { name, .. }) => {
            let name = name.to_string().to_lowercase();
            if WHOLE.contains(&name.as_str()) {
                Kind::Whole
            } else if FRACTION.contains(&name.as_str()) {
                Kind::Fraction
            } else {
                Kind::Unknown
            }
        }
        Expr::BinaryOp { left, right, .. } => match (kind(left), kind(right)) {
            (Kind::Fraction, _) | (_, Kind::Fraction) => Kind::Fraction,
            (Kind::Whole, Kind::Whole) => Kind::Whole,
            _ => Kind::Unknown,
        },
        _ => Kind::Unknown,
    }
}

fn kind_of(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Int(_)
        | DataType::Integer(_)
        | DataType::BigInt(_)
        | DataType::SmallInt(_)
        | DataType::TinyInt(_)
        | DataType::Int4(_)
        | DataType::Int8(_) => Kind::Whole,
        DataType::Float(_)
        | DataType::Real
        | DataType::Double(_)
        | DataType::DoublePrecision
        | DataType::Decimal(_)
        | DataType::Numeric(_) => Kind::Fraction,
        _ => Kind::Unknown,
    }
}

/// A name as SQL takes it.
fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

/// A column, with the table that is said to have it.
fn column(expression: &Expr) -> Option<(Option<String>, String)> {
    match expression {
        Expr::Nested(inner) => column(inner),
        Expr::Identifier(name) => Some((None, folded(name))),
        Expr::CompoundIdentifier(parts) => {
            let [.., table, name] = parts.as_slice() else {
                return None;
            };
            Some((Some(folded(table)), folded(name)))
        }
        _ => None,
    }
}

/// The names that the tables of a FROM go by.
fn relations(from: &[TableWithJoins]) -> BTreeSet<String> {
    let all = from.iter().flat_map(|one| {
        let joined = one.joins.iter().map(|join| &join.relation);
        std::iter::once(&one.relation).chain(joined)
    });
    all.filter_map(|relation| match relation {
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } => Some(folded(&alias.name)),
        TableFactor::Table { name, .. } => name.0.last().and_then(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(folded(ident)),
            ObjectNamePart::Function(_) => None,
        }),
        _ => None,
    })
    .collect()
}

/// Conditions that all have to hold.
fn conditions<'a>(condition: &'a Expr, into: &mut Vec<&'a Expr>) {
    match condition {
        Expr::Nested(inner) => conditions(inner, into),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conditions(left, into);
            conditions(right, into);
        }
        other => into.push(other),
    }
}

fn equalities<'a>(condition: &'a Expr, into: &mut Vec<(&'a Expr, &'a Expr)>) {
    let mut all = Vec::new();
    conditions(condition, &mut all);
    for one in all {
        if let Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } = one
        {
            into.push((left, right));
        }
    }
}

/// Columns that a condition names.
#[derive(Default)]
struct Names {
    /// Tables that columns are said to be of.
    tables: BTreeSet<String>,
    /// Whether there is a column without one.
    bare: bool,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match column(expression) {
            Some((Some(table), _)) => {
                self.tables.insert(table);
            }
            Some((None, _)) => self.bare = true,
            None => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::Statement;

    use super::super::lint::query;
    use super::*;

    fn traps(sql: &str) -> Vec<(bool, String)> {
        let Statement::Statement(statement) = query(sql).unwrap() else {
            panic!("{sql} is no statement");
        };
        let never_null =
            |table: &str, column: &str| (table, column) == ("customer_value", "customer");
        let mut traps = Traps {
            never_null: &never_null,
            found: Vec::new(),
        };
        let _ = statement.visit(&mut traps);
        let found = traps.found.into_iter();
        found.map(|trap| (trap.certain, trap.message)).collect()
    }

    fn assert_trap(sql: &str, certain: bool, says: &str) {
        let found = traps(sql);
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        assert!(
            found[0].0 == certain && found[0].1.contains(says),
            "{sql}: {found:?}"
        );
    }

    #[test]
    fn an_anti_join_that_binds_to_the_inner_table() {
        for sql in [
            "SELECT * FROM new_events WHERE NOT EXISTS (SELECT _id FROM target a WHERE _id = a._id)",
            "SELECT * FROM x WHERE NOT EXISTS (SELECT 1 FROM y WHERE y.id = id AND y.kind = 'b')",
            "SELECT * FROM x WHERE EXISTS (SELECT 1 FROM y WHERE (id = id))",
        ] {
            assert_trap(sql, true, "with itself");
        }
        assert_trap(
            "SELECT * FROM x WHERE NOT EXISTS (SELECT 1 FROM y WHERE customer = y.id)",
            false,
            "for all rows or for none",
        );
        for fine in [
            "SELECT * FROM x WHERE NOT EXISTS (SELECT 1 FROM y WHERE y.id = x.id)",
            "SELECT * FROM x a WHERE NOT EXISTS (SELECT 1 FROM x b WHERE b.id = a.id AND b.kind = 'c')",
            "SELECT * FROM x WHERE EXISTS (SELECT 1 FROM y)",
            "SELECT * FROM x WHERE EXISTS (SELECT 1 FROM y WHERE id = x.id)",
            "SELECT * FROM x LEFT ANTI JOIN y ON x.id = y.id",
        ] {
            assert_eq!(traps(fine), [], "{fine}");
        }
    }

    #[test]
    fn not_in_with_a_null() {
        for sql in [
            "SELECT * FROM x WHERE id NOT IN (SELECT id FROM y)",
            "SELECT * FROM x WHERE id NOT IN (SELECT id FROM y WHERE kind IS NOT NULL)",
            "SELECT * FROM x WHERE id NOT IN (SELECT last_purchase FROM customer_value)",
            "SELECT * FROM x WHERE id NOT IN (SELECT c.customer FROM customer_value c LEFT JOIN y ON true)",
        ] {
            assert_trap(sql, false, "once the subquery gives a NULL");
        }
        for fine in [
            "SELECT * FROM x WHERE id NOT IN (SELECT id FROM y WHERE id IS NOT NULL)",
            "SELECT * FROM x WHERE id NOT IN (SELECT y.id FROM y WHERE kind = 1 AND (y.id IS NOT NULL))",
            "SELECT * FROM x WHERE id NOT IN (SELECT customer FROM customer_value)",
            "SELECT * FROM x WHERE id IN (SELECT id FROM y)",
            "SELECT * FROM x WHERE id NOT IN (1, 2)",
        ] {
            assert_eq!(traps(fine), [], "{fine}");
        }
    }

    #[test]
    fn a_fractional_division_as_a_bucket() {
        for sql in [
            "SELECT count(*) FROM x GROUP BY extract(epoch FROM t) / 60",
            "SELECT CAST(t AS DOUBLE) / 60 AS minute, count(*) FROM x GROUP BY minute",
            "SELECT t / 60.0, count(*) FROM x GROUP BY 1",
            "SELECT count(*) FROM x GROUP BY id, (CAST(t AS DECIMAL(12, 2)) / 60) + 1",
        ] {
            assert_trap(sql, false, "this division keeps fractions");
        }
        assert_trap(
            "SELECT count(*) FROM x GROUP BY t / 60",
            false,
            "unless both sides",
        );
        for fine in [
            "SELECT count(*) FROM x GROUP BY CAST(t AS BIGINT) / 60",
            "SELECT count(*) FROM x GROUP BY to_unixtime(t) / 60",
            "SELECT floor(t / 60.0) AS minute, count(*) FROM x GROUP BY minute",
            "SELECT CAST(t / 60 AS BIGINT), count(*) FROM x GROUP BY 1",
            "SELECT date_bin(INTERVAL '1 minute', t), count(*) FROM x GROUP BY 1",
            "SELECT kind, sum(a) / 60.0 FROM x GROUP BY kind",
        ] {
            assert_eq!(traps(fine), [], "{fine}");
        }
    }
}
